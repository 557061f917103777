"""Makes `.venv` beside manage.py and goes on inside it. Standard library only, in words that old Pythons can read.

Called first by manage.py. STEWARD_BOOTSTRAP=off, or another virtual environment that has Django, leaves everything alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
HOME = Path(__file__).resolve().parent.parent
VENV = HOME / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "steward.json"
LOG = VENV / "install.log"

# Each holds all that stand before it.
SETS = ("base", "production", "dev", "browser")
NEEDED = {"web": "production", "test": "browser", "quality": "dev", "bench": "dev", "chaos": "dev", "screenshots": "browser"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Impossible(Exception):
    """The environment cannot be made; the message says why and what to do."""


def ensure(arguments: Sequence[str]) -> None:
    """Return when this process may import Django; otherwise make the environment and start again in it. Exits 1 with a sentence."""
    try:
        _check_version()
        if _is_left_alone():
            return
        wanted = _wanted(arguments)
        if not _is_ready(wanted):
            _make(wanted)
            _say("The environment is ready.")
        elif _is_ours():
            return
    except Impossible as problem:
        sys.exit(f"{problem}")
    os.execv(str(PYTHON), [str(PYTHON), *sys.argv])  # noqa: S606 - this very program, inside its environment


def _check_version() -> None:
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    names = [f"python{OLDEST[0]}.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = next((name for name in names if shutil.which(name)), "")
    advice = f"There is {found} on this machine: run `{found} manage.py …`." if found else "Install one of them and run manage.py with it."
    version = ".".join(str(part) for part in sys.version_info[:3])
    raise Impossible(f"Steward needs Python {_text(OLDEST)} to {_text(NEWEST)}; this is {version} ({sys.executable}). {advice}")


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _is_left_alone() -> bool:
    if os.environ.get("STEWARD_BOOTSTRAP", "").lower() in ("off", "0", "no", "false"):
        return True
    if _is_ours():
        # Somebody else filled it, for instance with `pip install`: they know what they do.
        return not STAMP.exists()
    is_virtual = sys.prefix != sys.base_prefix
    return is_virtual and importlib.util.find_spec("django") is not None


def _is_ours() -> bool:
    return os.path.realpath(sys.prefix) == os.path.realpath(VENV)


def _wanted(arguments: Sequence[str]) -> str:
    """The set of requirements that the command needs."""
    wanted = NEEDED.get(arguments[0], "base") if arguments else "base"
    if wanted == "browser" and arguments[0] == "test" and not _has_browser():
        return "dev"
    return wanted


def _has_browser() -> bool:
    given = os.environ.get("CHROMIUM", "")
    return bool(given and Path(given).exists()) or any(shutil.which(name) for name in BROWSERS)


def _is_ready(wanted: str) -> bool:
    """Whether .venv holds the wanted set, as its lock file is today. What was installed beyond it must be up to date too."""
    stamp = _stamp()
    held = stamp.get("set", "")
    return held in SETS and SETS.index(held) >= SETS.index(wanted) and stamp.get("lock") == _lock_hash(held) and PYTHON.exists()


def _stamp() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _requirements(name: str) -> Path:
    return HOME / "requirements" / f"{name}.txt"


def _lock_hash(name: str) -> str:
    return hashlib.sha256(_requirements(name).read_bytes()).hexdigest()


def _make(wanted: str) -> None:
    with _alone():
        if _is_ready(wanted):
            return  # whoever was first has made it
        held = _stamp().get("set", "")
        if held in SETS:
            wanted = SETS[max(SETS.index(held), SETS.index(wanted))]
        _say(f"{'Updating' if held else 'Making'} the environment in .venv ({'' if held else 'once, '}about a minute) …")
        _create()
        _install(wanted)
        # Written last and at once: a stamp never claims more than has happened.
        fresh = STAMP.with_suffix(".new")
        fresh.write_text(json.dumps({"set": wanted, "lock": _lock_hash(wanted), "python": _text(sys.version_info[:2])}) + "\n")
        fresh.replace(STAMP)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two starts at once: one makes the environment, the other waits. The lock file is one that is there anyway."""
    with _requirements("base").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another start is making the environment in .venv; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create() -> None:
    if _works():
        return
    try:
        if VENV.exists():
            # Left by a start that was interrupted, or by a Python that is gone.
            shutil.rmtree(VENV)
        VENV.mkdir()
    except OSError as error:
        raise Impossible(f"The environment {VENV} cannot be made: {error.strerror}. Make the folder writable, or remove .venv.") from None
    plain = [sys.executable, "-m", "venv", str(VENV)]
    tries = [[*_uv(), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)]] if _uv() else []
    # Debian splits ensurepip off; without it another pip does the installing.
    tries += [plain, [*plain, "--without-pip"]]
    if not any(_run(command) and _works() for command in tries):
        raise Impossible(f"The environment .venv cannot be made:\n{_end_of_log()}\nInstall uv, or Debian's python3-venv, and try again.")


def _works() -> bool:
    if not PYTHON.exists():
        return False
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == _text(sys.version_info[:2])


def _install(name: str) -> None:
    # The lock file names everything. Left to look for more, an old pip takes an extra (`coverage[toml]`) from a release newer than the pin.
    what = ["--no-deps", "--require-hashes", "-r", str(_requirements(name))]
    quiet = ["install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    pips = [[str(PYTHON), "-m", "pip"], [sys.executable, "-m", "pip", "--python", str(PYTHON)]]
    usable = [[*pip, *quiet, *what] for pip in pips if _run([*pip[:3], "--version"])][:1]
    if _uv():
        usable.insert(0, [*_uv(), "pip", "install", "--quiet", "--python", str(PYTHON), *what])
    if not usable:
        raise Impossible("There is no pip to fill .venv with. Install uv, or Debian's python3-venv or python3-pip, and try again.")
    if not any(_run(command) for command in usable):
        raise Impossible(
            f"The requirements could not be installed:\n{_end_of_log()}\n"
            f"Is there a network, or a package index in PIP_INDEX_URL? All of it is in {LOG.relative_to(HOME)}. Then try again."
        )


def _uv() -> list[str]:
    """uv, when it is there and works."""
    if "found" not in _uv_kept:
        path = shutil.which("uv")
        works = path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
        _uv_kept["found"] = [path] if path and works else []
    return _uv_kept["found"]


_uv_kept: dict[str, list[str]] = {}


def _run(command: Sequence[str]) -> bool:
    with LOG.open("ab") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        return subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0


def _end_of_log() -> str:
    try:
        return "\n".join(f"    {line}" for line in LOG.read_text(errors="replace").splitlines()[-6:])
    except OSError:
        return "    nothing was written down"


def _say(sentence: str) -> None:
    # Not to the standard output: that belongs to the command, which may print JSON.
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
