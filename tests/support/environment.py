"""The surroundings of a process under test: no setting of the person's own, and a database of its own on the present stand.

Used by the test command for pytest itself, and by journeys and chaos for the processes that they start.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
READ = re.compile(r"""\benv(?:\.\w+)?\(\s*["']([A-Z][A-Z0-9_]*)["']""")


def setting_names() -> set[str]:
    """Every environment variable that the settings read, live options included."""
    from config.settings.options import OPTIONS

    sources = (ROOT / "config" / "settings").glob("*.py")
    return {name for source in sources for name in READ.findall(source.read_text())} | set(OPTIONS)


def bare() -> dict[str, str]:
    """This process's environment without anything that configures Steward."""
    hidden = setting_names() | {"DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "ENV_FILE": os.devnull}


def name() -> str:
    """`servers` when this run has PostgreSQL, else `sqlite`."""
    return "servers" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite"


CALM = {"CHECK_CPU_USAGE": "100", "CHECK_MEMORY_USAGE": "100"}


def of_process(data_dir: Path, *, database_url: str = "", **extra: str) -> dict[str, str]:
    """The environment for a real process: the stand's Redis, the given database, DATA_DIR, and `extra`.

    The built-in health checks leave it at looking: a machine that runs tests is busy, and they would scale workers under everybody.
    """
    given = {"DATA_DIR": str(data_dir), "DATABASE_URL": database_url, "REDIS_URL": os.environ.get("REDIS_URL", "")}
    return {**bare(), **CALM, **{key: value for key, value in given.items() if value}, **extra}


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database on this stand's PostgreSQL, dropped afterwards; "" (SQLite in DATA_DIR) elsewhere."""
    if name() == "sqlite":
        yield ""
        return
    import psycopg

    fresh = f"steward_{secrets.token_hex(6)}"
    base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{fresh}"')
    try:
        yield f"{base}/{fresh}"
    finally:
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{fresh}" WITH (FORCE)')
