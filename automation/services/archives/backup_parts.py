"""The parts of a backup, each a file: the database, folders of files, the configuration. And how each is restored. Called by `backups`."""

import contextlib
import gzip
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, models
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from automation.models import Queue, Rule
from automation.services import queues
from automation.services.archives import pg_tools
from config.acts.plugins.actions import actions
from config.acts.running import forms
from config.kernel.flow.errors import Conflict, InvalidInput, PermanentError
from config.kernel.language import json_text
from config.kernel.models.base import Encrypted
from config.kernel.wire import redact

DATABASE, FILES, CONFIG = TYPES = ("database", "files", "config")
SQLITE, POSTGRES, TAR, JSON = "database.sqlite3.gz", "database.dump", "files.tar.gz", "config.json"
# Whoever has a backup must not have the keys to what is encrypted in it.
NEVER = frozenset({"secrets.json"})
_DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def write(kind: str, folder: Path) -> dict[str, Any]:
    """Write a part into `folder`; the file's name and what made it. Raises PermanentError (`not_configured`: something is missing)."""
    if kind == FILES:
        return _write_files(folder / TAR)
    if kind == CONFIG:
        (folder / JSON).write_bytes(json_text.write(configuration()))
        return {"file": JSON}
    if connection.vendor == "postgresql":
        return {"file": POSTGRES, "made_by": pg_tools.dump(folder / POSTGRES), "server": pg_tools.server_major()}
    _copy_sqlite(folder / SQLITE)
    return {"file": SQLITE, "made_by": f"SQLite {sqlite3.sqlite_version}"}


def check(path: Path) -> None:
    """Whether the part can be read by what would restore it. Raises PermanentError."""
    if path.name == POSTGRES and connection.vendor == "postgresql":
        pg_tools.check(path)
    if path.name == SQLITE:
        plain = path.with_suffix(".check")
        _unpack(path, plain)
        _check_sqlite(plain)
        plain.unlink()


def restore(path: Path, into: str) -> str:
    """Bring a part back beside what is there, never over it; what it was brought to."""
    if path.name == POSTGRES:
        return _restore_postgres(path, into)
    target = Path(into).expanduser().absolute()
    if path.name == TAR:
        return _restore_files(path, target)
    if target.exists():
        raise Conflict(f"{target} exists already. Name a file that does not: nothing is overwritten.")
    if not target.parent.is_dir():
        raise InvalidInput(f"There is no folder {target.parent}. Make it first, or name another.")
    try:
        if path.name == SQLITE:
            _unpack(path, target)
            _check_sqlite(target)
        else:
            shutil.copyfile(path, target)
        target.chmod(0o600)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return str(target)


def configuration() -> dict[str, list[dict[str, Any]]]:
    """Every row that somebody set up, by model, without anything secret."""
    marked = [model for model in apps.get_models() if getattr(model, "is_configuration", False)]
    known: list[Any] = [*marked, Group, CrontabSchedule, IntervalSchedule, PeriodicTask]
    return {model._meta.label_lower: [_plain(row) for row in model._default_manager.order_by("pk")] for model in known}


def folders() -> list[Path]:
    """What a backup of files holds, links resolved; those that exist."""
    named = [*settings.STEWARD_WRITABLE_ROOTS, *settings.BACKUP_FOLDERS]
    return sorted({path for name in named if (path := Path(name).resolve()).is_dir()})


def _write_files(to: Path) -> dict[str, Any]:
    found = folders()
    if not found:
        raise PermanentError("STEWARD_WRITABLE_ROOTS and BACKUP_FOLDERS name no folder that exists.", code="not_configured")
    count = 0
    with tarfile.open(to, "w:gz") as archive:
        for folder in found:
            for path in _below(folder):
                # What is removed while we read is not there; the rest of the folder is.
                with contextlib.suppress(FileNotFoundError):
                    archive.add(path, arcname=str(path).lstrip("/"), recursive=False)
                    count += 1
    return {"file": TAR, "folders": [str(folder) for folder in found], "entries": count}


def _below(folder: Path) -> Iterator[Path]:
    """Folders, files and links (as links), but not our own backups, and never a file of keys."""
    own = Path(settings.DATA_DIR) / "backups"
    for here, inside, names in os.walk(folder):
        inside[:] = sorted(name for name in inside if Path(here, name) != own)
        yield Path(here)
        yield from (path for name in inside if (path := Path(here, name)).is_symlink())
        for name in sorted(names):
            path = Path(here, name)
            if name not in NEVER and (path.is_symlink() or path.is_file()):
                yield path


def _copy_sqlite(to: Path) -> None:
    """By SQLite's own backup: a consistent copy, whatever is written meanwhile."""
    plain = to.with_suffix("")
    name = str(connection.settings_dict["NAME"])
    with contextlib.closing(sqlite3.connect(name, timeout=30)) as live, contextlib.closing(sqlite3.connect(plain)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    with plain.open("rb") as given, gzip.open(to, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(given, packed, 1024 * 1024)
    plain.unlink()


def _unpack(path: Path, to: Path) -> None:
    with gzip.open(path, "rb") as packed, to.open("xb") as plain:
        shutil.copyfileobj(packed, plain, 1024 * 1024)


def _check_sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as found:
        said = found.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise PermanentError(f"The database in the archive is damaged: {said}", code="damaged")


def _restore_postgres(path: Path, into: str) -> str:
    if connection.vendor != "postgresql":
        raise PermanentError("This is a dump of PostgreSQL, and this installation runs on SQLite. Set DATABASE_URL to a server first.")
    if not _DATABASE_NAME.fullmatch(into):
        raise InvalidInput(f"{into!r} is no name for a database: small letters, digits and _, at most 63.")
    pg_tools.restore(path, into=into)
    return into


def _restore_files(path: Path, target: Path) -> str:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{target} is not an empty folder. Name one that is empty or not there: nothing is overwritten.")
    target.mkdir(parents=True, exist_ok=True)
    try:
        _extract(path, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return str(target)


def _extract(path: Path, target: Path) -> None:
    """Everything that lies inside of `target`. Links that lead out of it are made last, so that nothing is written through one."""
    outward: list[tarfile.TarInfo] = []

    def inside(member: tarfile.TarInfo, to: str) -> tarfile.TarInfo | None:
        try:
            return tarfile.data_filter(member, to)
        except (tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
            if not member.issym():
                raise
            outward.append(member)
            return None

    with tarfile.open(path, "r:gz") as archive:
        archive.extractall(target, filter=inside)  # noqa: S202 - what data_filter refuses is not extracted
    for link in outward:
        place = target / link.name.lstrip("/")
        if not place.parent.resolve().is_relative_to(target.resolve()):
            raise PermanentError(f"The archive would write outside of {target}: {link.name}.", code="damaged")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(link.linkname)


def _plain(row: models.Model) -> dict[str, Any]:
    fields = [field for field in row._meta.concrete_fields if not isinstance(field, Encrypted) and field.name != "id"]
    found = {field.name: _value(row, field) for field in fields}
    if isinstance(row, Group):
        found["permissions"] = sorted(row.permissions.values_list("codename", flat=True))
    if isinstance(row, Queue):
        found["parameters"] = queues.shown_parameters(row)
    if isinstance(row, Rule):
        found["actions"] = [_step(step) for step in row.steps]
    safe: Mapping[str, Any] = redact.data(found)
    return {name: _without_credentials(value) for name, value in safe.items()}


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    """An action of a rule, its secret parameters masked."""
    action = actions.all().get(str(step.get("action", "")))
    return {**step, "params": forms.masked(action.Parameters if action else None, step.get("params") or {})}


def _value(row: models.Model, field: Any) -> Any:
    if field.is_relation:
        other = getattr(row, field.name)
        return None if other is None else getattr(other, "uid", None) or str(other)
    value = field.value_from_object(row)
    return value if value is None or isinstance(value, str | int | float | bool | list | dict) else str(value)


def _without_credentials(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        return redact.url(value)
    if isinstance(value, dict):
        return {name: _without_credentials(one) for name, one in value.items()}
    return [_without_credentials(one) for one in value] if isinstance(value, list) else value
