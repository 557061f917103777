"""Programs of this machine that may be run: those of STEWARD_COMMANDS_FILE, by name, and no others.
Called by actions, processors and controllers."""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from config.kernel.flow.errors import NotFound, PermanentError

OUTPUT_BYTES = 64 * 1024
SHAPE = '{"name": {"argv": ["/path", "word"], "folder": "/", "user": ""}}'
HELP = "STEWARD_COMMANDS_FILE names the JSON file that lists what may be run."


class NoPrograms(PermanentError):
    """Nothing may be run here until somebody says what."""

    code = "not_configured"


class NotReadable(PermanentError):
    """The file is there and cannot be understood."""

    code = "commands_file"


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
    """Run it to its end, or to the end of its time: then its whole process group is gone. Never through a shell.

    `env` is added to PATH, HOME and LANG; our own environment, which holds secrets, is not handed on.
    """
    given = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ} | dict(env or {})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(program.argv),
            cwd=program.folder or None,
            user=program.user or None,
            env=given,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            process.communicate(stdin, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            process.communicate()
            return Ran(None, _tail(out), _tail(err))
        _kill(process.pid)  # what it left behind in its group
        return Ran(process.returncode, _tail(out), _tail(err))


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _tail(file: Any) -> str:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - OUTPUT_BYTES))
    return str(file.read().decode("utf-8", errors="replace"))


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
