"""The demo service under a real supervisord, in a folder of its own. Used by the tests of healing and by journeys."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import servers, stack
from tests.support.environment import ROOT
from tests.support.stack import Stack, until

HERE = ROOT / "examples" / "demo_service"


@dataclass(frozen=True)
class Demo:
    """Where it is. `base` is the address of the first instance; the next ones are on the ports after it."""

    folder: Path
    port: int

    @property
    def socket(self) -> str:
        """What SUPERVISOR_URL must be."""
        return f"unix://{self.folder}/supervisor.sock"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str = "/", *, number: int = 0, method: str = "GET") -> tuple[int, Any]:
        """Status and answer; 0 when nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port + number}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def kill(self, number: int = 0) -> int:
        """`kill -9` of one instance; the process that it was."""
        pid = int(self.get(number=number)[1]["pid"])
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.get(number=number)[0] == 0, seconds=10, what="its end")
        return pid


@contextlib.contextmanager
def demo() -> Iterator[Demo]:
    """Started as its README says, all three answering; ended with the block, and whatever it started with it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:  # a short path: that of a unix socket may have 107 bytes
        found = Demo(Path(folder), servers.free_port(3))
        environ = {**os.environ, "DEMO_DIR": folder, "DEMO_PORT": str(found.port)}
        running = subprocess.Popen([str(HERE / "start.sh")], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: all(found.get(number=number)[0] == 200 for number in range(3)), seconds=30, what="the demo service's start")
            yield found
        finally:
            running.terminate()
            running.wait(20)


@contextlib.contextmanager
def watched(demo: Demo, folder: Path, **settings: str) -> Iterator[Stack]:
    """An installation that knows where supervisord listens, and has the demo service under watch as the README says."""
    own = {
        "SUPERVISOR_URL": demo.socket,
        "STEWARD_TRUSTED_TARGETS": ",".join(f"http://127.0.0.1:{demo.port + number}" for number in range(3)),
        "SERVICE_CHECK_SECONDS": "1",
    }
    with stack.installation(folder, **own, **settings) as house:
        house.manage(*command_of_the_readme("register", demo))
        yield house


def command_of_the_readme(deed: str, demo: Demo) -> list[str]:
    """The words after `manage.py` of the command that the README prints for this deed, for where this one listens."""
    text = (HERE / "README.md").read_text().replace("\\\n", " ").replace("8870", str(demo.port))
    line = next(line for line in text.splitlines() if line.startswith(f"python3 manage.py services {deed}"))
    return shlex.split(line)[2:]
