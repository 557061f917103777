"""PostgreSQL's own programs: finding those that fit the server, dumping, restoring into a new database. Called by the parts of backups."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from config.kernel.flow.errors import Conflict, PermanentError, TemporaryError
from config.kernel.wire import redact

INSTALLED = Path("/usr/lib/postgresql")
LONGEST_SECONDS = 6 * 3600
_VERSION = re.compile(r"\) (\d+)")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def server_major() -> int:
    """The server's major version."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version) // 10000


def program(name: str) -> str:
    """The path of `pg_dump` or `pg_restore` that understands this server: the oldest that is new enough.

    Raises PermanentError (code `not_configured`) that says what is there and what to install.
    """
    needed = server_major()
    found = sorted((major, str(path)) for path in _candidates(name) if (major := _major(path)))
    fitting = [path for major, path in found if major >= needed]
    if fitting:
        return fitting[0]
    there = f"; the newest here is {found[-1][0]} ({found[-1][1]})" if found else ""
    raise PermanentError(
        f"The server is PostgreSQL {needed} and needs a {name} of {needed} or later{there}. "
        f"Install Debian's postgresql-client-{needed}, or name the folder of its programs in PG_BIN.",
        code="not_configured",
    )


def dump(to: Path) -> str:
    """Write the database to `to` in PostgreSQL's custom format; the version of the program."""
    tool = program("pg_dump")
    _run([tool, "--format=custom", "--no-owner", "--no-privileges", "--file", str(to), "--dbname", _name()], what="pg_dump")
    return _version(tool)


def check(archive: Path) -> int:
    """Have pg_restore read a dump's list of contents; how many entries. Raises PermanentError when it cannot."""
    listed = _run([program("pg_restore"), "--list", str(archive)], what="pg_restore")
    return sum(1 for line in listed.splitlines() if line and not line.startswith(";"))


def restore(archive: Path, *, into: str) -> None:
    """Make the database `into`, which must not exist, and fill it. When that fails it is dropped again."""
    tool = program("pg_restore")
    _administer("CREATE DATABASE {} TEMPLATE template0", into)
    try:
        _run([tool, "--exit-on-error", "--no-owner", "--no-privileges", "--dbname", into, str(archive)], what="pg_restore")
    except BaseException:
        _administer("DROP DATABASE IF EXISTS {}", into)
        raise


def _candidates(name: str) -> list[Path]:
    if settings.PG_BIN:
        return [Path(settings.PG_BIN) / name]
    on_path = shutil.which(name)
    return [*([Path(on_path)] if on_path else []), *INSTALLED.glob(f"*/bin/{name}")]


def _major(path: Path) -> int:
    found = _VERSION.search(_version(str(path)))
    return int(found.group(1)) if found else 0


def _version(tool: str) -> str:
    try:
        return subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _run(argv: list[str], *, what: str) -> str:
    """Run one of the programs against our server; its output. What it complains of comes back without secrets."""
    given = connection.settings_dict
    places = {"PGHOST": given["HOST"], "PGPORT": given["PORT"], "PGUSER": given["USER"], "PGPASSWORD": given["PASSWORD"]}
    places |= {f"PG{name.upper()}": given["OPTIONS"][name] for name in _TLS if given.get("OPTIONS", {}).get(name)}
    told = {**os.environ, "PGCONNECT_TIMEOUT": "10", **{name: str(value) for name, value in places.items() if value}}
    try:
        ended = subprocess.run(argv, env=told, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TemporaryError(f"{what} did not end within {LONGEST_SECONDS // 3600} hours.") from None
    if ended.returncode:
        raise PermanentError(f"{what} failed: {redact.text(ended.stderr.strip()[-600:]) or 'it said nothing'}", code="backup_failed")
    return ended.stdout


def _administer(statement: str, name: str) -> None:
    """A statement about a database, on a connection of its own: it cannot be part of a transaction."""
    given = connection.settings_dict
    tls: dict[str, Any] = {key: given["OPTIONS"][key] for key in _TLS if given.get("OPTIONS", {}).get(key)}
    places = {"host": given["HOST"], "port": given["PORT"], "user": given["USER"], "password": given["PASSWORD"], **tls}
    with psycopg.connect(dbname=_name(), autocommit=True, **{key: value for key, value in places.items() if value}) as link:
        try:
            link.execute(sql.SQL(statement).format(sql.Identifier(name)))
        except psycopg.errors.DuplicateDatabase:
            raise Conflict(f"There is a database {name!r} already. Name one that does not exist: nothing is overwritten.") from None
        except psycopg.errors.InsufficientPrivilege:
            raise PermanentError(f"The user {given['USER']!r} may not create databases. Have an administrator grant CREATEDB.") from None
