"""Programs of this machine that may be run: those of STEWARD_COMMANDS_FILE, by name, and no others.
Called by actions, processors and controllers."""

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
from django.conf import settings

from config.acts.texts import storable
from config.kernel.flow.errors import NotFound, PermanentError

OUTPUT_BYTES = 64 * 1024
# As for what an action itself prints: more than this in all, and it is stopped.
MOST_PRINTED_BYTES = 8 * 1024 * 1024
LOOK_SECONDS = 0.2
SHAPE = '{"name": {"argv": ["/path", "word"], "folder": "/", "user": ""}}'
HELP = "STEWARD_COMMANDS_FILE names the JSON file that lists what may be run."


class NoPrograms(PermanentError):
    """Nothing may be run here until somebody says what."""

    code = "not_configured"


class NotReadable(PermanentError):
    """The file is there and cannot be understood."""

    code = "commands_file"


class TooLoud(PermanentError):
    """It printed more than there is room for, and is gone."""

    code = "resource_limit"


@dataclass(frozen=True)
class Program:
    """One allowed program: its fixed arguments, where it runs, and as whom (empty: as we do)."""

    name: str
    argv: Sequence[str]
    folder: str = ""
    user: str = ""


@dataclass(frozen=True)
class Ran:
    """How a program ended. `exit_code` is None when its time was up; texts hold at most OUTPUT_BYTES."""

    exit_code: int | None
    stdout: str
    stderr: str


def names() -> list[str]:
    """What may be run, by name; empty when nothing may."""
    try:
        return sorted(_read())
    except (NoPrograms, NotReadable):
        return []


def find(name: str) -> Program:
    """The program. Raises NoPrograms, NotReadable, or NotFound with the names that there are."""
    known = _read()
    if name not in known:
        raise NotFound(
            f"There is no program {name!r} in {settings.STEWARD_COMMANDS_FILE}; there are: {', '.join(sorted(known)) or 'none'}."
        )
    return known[name]


def run(program: Program, *, timeout_seconds: float, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ran:
    """Run it to its end, or to the end of its time: then it is gone with all that it started. Never through a shell.

    `env` is added to PATH, HOME and LANG; our own environment, which holds secrets, is not handed on. Raises TooLoud.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            list(program.argv),
            cwd=program.folder or None,
            env=_environment(program, env or {}),
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
            **_rights(program),
        )
        try:
            is_over = _wait(process, program, (out, err), timeout_seconds)
        finally:
            _kill(process)
            process.wait()
        return Ran(process.returncode if is_over else None, _tail(out), _tail(err))


def _wait(process: "subprocess.Popen[bytes]", program: Program, printed: Sequence[Any], timeout_seconds: float) -> bool:
    """Whether it ended by itself in time. What it prints lies on our disk, so that is watched, too."""
    until = time.monotonic() + timeout_seconds
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, LOOK_SECONDS))
            return True
        if sum(os.fstat(file.fileno()).st_size for file in printed) > MOST_PRINTED_BYTES:
            raise TooLoud(f"The program {program.name} printed more than {MOST_PRINTED_BYTES >> 20} MB and was stopped.")
    return False


def _environment(program: Program, more: Mapping[str, str]) -> dict[str, str]:
    ours = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return ours | ({"HOME": pwd.getpwnam(program.user).pw_dir} if program.user else {}) | dict(more)


def _rights(program: Program) -> dict[str, Any]:
    """As another user it has the groups of that user, and none of ours: only root can change who runs."""
    if not program.user or os.geteuid() != 0:
        return {"user": program.user or None}
    group = pwd.getpwnam(program.user).pw_gid
    return {"user": program.user, "group": group, "extra_groups": os.getgrouplist(program.user, group)}


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Where it goes on, itself and all that descends from it, in whatever session; else what it left behind in its group only.

    A program that ended by itself may have meant to start a daemon.
    """
    descendants: list[psutil.Process] = []
    if process.returncode is None:
        with contextlib.suppress(psutil.Error):
            descendants = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for one in descendants:
        with contextlib.suppress(psutil.Error):
            one.kill()


def _tail(file: Any) -> str:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - OUTPUT_BYTES))
    return storable.text(file.read().decode("utf-8", errors="replace"))


def _read() -> dict[str, Program]:
    path = settings.STEWARD_COMMANDS_FILE
    if not path:
        raise NoPrograms(f"No program may be run here: {HELP}")
    try:
        found = orjson.loads(Path(path).read_bytes())
        return {name: _program(name, entry) for name, entry in found.items()}
    except (OSError, orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotReadable(f"{path} cannot be used ({error}). Write {SHAPE}.") from None


def _program(name: str, entry: Mapping[str, Any]) -> Program:
    argv = entry["argv"]
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise ValueError(f"{name}: argv must be a list of texts")
    if not os.path.isabs(argv[0]):
        raise ValueError(f"{name}: the first word of argv must be an absolute path")
    if user := entry.get("user", ""):
        pwd.getpwnam(user)  # KeyError for one that there is not
    return Program(name, tuple(argv), str(entry.get("folder", "")), user)
