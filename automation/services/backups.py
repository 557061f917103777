"""Backups of data: made, read back, restored beside what is there, removed when their time is over.
Called by the action `automation.backup_data`, the API, the dashboard and the command."""

import fcntl
import hashlib
import os
import platform
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from automation.services.archives import backup_parts
from config.acts.models import Backup
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound, PermanentError
from config.kernel.language import json_text
from config.kernel.models import AuditRecord
from config.kernel.watch import audit

TYPES = backup_parts.TYPES
MANIFEST = "manifest.json"
USUAL_DAYS = 30
MAKING, READING = ".making-", ".reading-"
# What is read back lies unpacked beside the archives meanwhile; older than this, whoever read it is gone.
LONGEST_READING_SECONDS = 86_400
MODIFIED = AuditRecord.Kind.SYSTEM_MODIFICATION


def folder() -> Path:
    """Where the archives are: only their owner may look into it."""
    found = Path(settings.DATA_DIR) / "backups"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def create(types: Sequence[str], *, retention_days: int = USUAL_DAYS, created_by: str = "system", key: str | None = None) -> Backup:
    """Make a backup of `types`, read it back, then remove those of the same types older than `retention_days`.

    Under a `key` that was used before it is the backup of then. Raises InvalidInput, Conflict while another one is being made, and
    PermanentError with the code `not_configured` when a program or a folder is missing.
    """
    wanted = _types(types)
    if not 1 <= retention_days <= 3650:
        raise InvalidInput("retention_days must be from 1 to 3650.", fields={"retention_days": ["From 1 to 3650."]})
    if key and (made := Backup.objects.filter(key=key).first()):
        return made
    values: dict[str, Any] = {"created_by": created_by[:150], "key": key, "types": wanted}
    with _disk("The backup could not be written"), _alone(), tempfile.TemporaryDirectory(dir=folder(), prefix=MAKING) as work:
        made = _kept(_written(wanted, Path(work)), values, retention_days)
    delete_older(clock.now() - timedelta(days=retention_days), types=wanted)
    return made


def find(uid: str) -> Backup:
    """The backup of data. Raises NotFound."""
    found = Backup.objects.filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no backup {uid!r}. It may have been removed after its retention time.")
    return found


def verify(backup: Backup) -> Backup:
    """Read it from end to end: checksums, and each part by what would restore it. Raises PermanentError when it is damaged or gone."""
    with _disk(f"{backup.uid} could not be unpacked to be looked at"), _opened(backup) as parts:
        for part in parts:
            backup_parts.check(part)
    backup.verified_at = clock.now()
    backup.save(update_fields=["verified_at"])
    audit.record("backup.verified", backup, kind=MODIFIED)
    return backup


def restore(backup: Backup, *, part: str, into: str) -> str:
    """Bring one part back beside what is there: a database under a new name, files into an empty folder. Where it is then.

    What is live is never written over: point DATABASE_URL at what was restored once you have looked at it.
    """
    if part not in backup.types:
        raise InvalidInput(
            f"{backup.uid} holds no {part}; it holds {', '.join(backup.types) or 'nothing'}.", fields={"part": ["Not in it."]}
        )
    with _disk(f"The {part} of {backup.uid} could not be restored"), _opened(backup) as parts:
        name = backup.manifest["parts"][part]["file"]
        where = backup_parts.restore(next(path for path in parts if path.name == name), into)
    backup.restored_at = clock.now()
    backup.save(update_fields=["restored_at"])
    audit.record("backup.restored", backup, kind=MODIFIED, part=part, into=where)
    return where


def delete_older(moment: datetime, *, types: Sequence[str] = TYPES) -> int:
    """Remove backups of data made before then that hold nothing but `types`, archive and row. How many.

    The newest of each type stays, whatever its age: a backup of the configuration replaces none of the database.
    """
    return _delete(row for row in _mine().filter(created_at__lt=moment) if set(row.types) <= set(types))


def delete_expired(now: datetime) -> int:
    """Remove those whose own time is over."""
    return _delete(_mine().filter(expires_at__lt=now))


def _mine() -> "QuerySet[Backup]":
    """Backups of data whose archives are on this machine."""
    return Backup.objects.filter(kind=Backup.Kind.DATA, host=socket.gethostname())


def _delete(rows: Iterable[Backup]) -> int:
    last: dict[str, int] = {}
    for pk, types in Backup.objects.filter(kind=Backup.Kind.DATA).order_by("created_at", "id").values_list("pk", "types"):
        last |= dict.fromkeys(types, pk)
    removed = 0
    for row in [row for row in rows if row.pk not in last.values()]:
        with transaction.atomic():
            audit.record("backup.removed", row, kind=MODIFIED, size=row.size)
            Backup.objects.filter(pk=row.pk).delete()
        archive(row).unlink(missing_ok=True)
        removed += 1
    return removed


def archive(backup: Backup) -> Path:
    """The file of a backup. Raises PermanentError for a path that leads out of the folder."""
    path = (folder() / backup.path).resolve()
    if path.parent != folder().resolve():
        raise PermanentError(f"The archive of {backup.uid} is not in {folder()}: its row was tampered with.", code="damaged")
    return path


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """A disk that is full or fails, as a sentence; whoever works in the block takes away what it began."""
    try:
        yield
    except (OSError, tarfile.TarError) as error:
        name = getattr(error, "filename", None)
        said = f"{getattr(error, 'strerror', None) or error}{f' ({name})' if name else ''}"
        raise PermanentError(f"{what}: {said}. Nothing was kept.", code="not_written") from None


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time on this machine. The lock ends with its process, however that ends; what such a one left behind is removed."""
    with (folder() / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Another backup is being made on this machine. Wait until it has ended.") from None
        long_ago = clock.now().timestamp() - LONGEST_READING_SECONDS
        for left in [*folder().glob(f"{MAKING}*"), *(path for path in folder().glob(f"{READING}*") if path.stat().st_mtime < long_ago)]:
            shutil.rmtree(left, ignore_errors=True)
        yield


def _types(types: Sequence[str]) -> list[str]:
    unknown = [name for name in types if name not in TYPES]
    if unknown or not types:
        said = f"There is no backup of {unknown[0]!r}" if unknown else "A backup needs at least one type"
        raise InvalidInput(f"{said}. There are: {', '.join(TYPES)}.", fields={"backup_types": [f"Choose of {', '.join(TYPES)}."]})
    return [name for name in TYPES if name in types]


def _written(types: list[str], work: Path) -> tuple[Path, dict[str, Any]]:
    """The archive as a file that is on the disk and was read back, and its manifest."""
    parts = {}
    for kind in types:
        made = backup_parts.write(kind, work)
        path = work / made["file"]
        parts[kind] = {**made, "size": path.stat().st_size, "sha256": _digest(path)}
    manifest = {"made_at": clock.text(clock.now()), "host": socket.gethostname(), "python": platform.python_version(), "parts": parts}
    (work / MANIFEST).write_bytes(json_text.write(manifest))
    target = work / "archive.tar"
    with os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in (MANIFEST, *(part["file"] for part in parts.values())):
                tar.add(work / name, arcname=name)
        file.flush()
        os.fsync(file.fileno())
    _extracted(target, work / "again", manifest)
    return target, manifest


def _kept(written: tuple[Path, dict[str, Any]], values: dict[str, Any], retention_days: int) -> Backup:
    """The row, and the archive under its name. Whoever took the same second first has the name; the next one is tried."""
    path, manifest = written
    now = clock.now()
    values |= {"size": path.stat().st_size, "sha256": _digest(path), "manifest": manifest, "host": manifest["host"], "verified_at": now}
    values |= {"kind": Backup.Kind.DATA, "created_at": now, "expires_at": now + timedelta(days=retention_days)}
    while True:
        uid = Backup.free_uid(now)
        try:
            with transaction.atomic():
                made = Backup.objects.create(uid=uid, path=f"{uid}.tar", **values)
                audit.record("backup.created", made, kind=MODIFIED, types=made.types, size=made.size)
                path.rename(folder() / made.path)
        except IntegrityError:
            if not Backup.objects.filter(uid=uid).exists():
                raise
            continue
        _sync(folder())
        return made


def _sync(place: Path) -> None:
    """Have the disk remember a renaming."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _opened(backup: Backup) -> Iterator[list[Path]]:
    """Its parts as files for the length of the block, once everything was found whole."""
    path = archive(backup)
    if not path.exists():
        raise PermanentError(f"The archive of {backup.uid} is not on this machine but on {backup.host}.", code="gone")
    if path.stat().st_size != backup.size or _digest(path) != backup.sha256:
        raise PermanentError(f"The archive of {backup.uid} is damaged: it is not what was written. Use another.", code="damaged")
    with tempfile.TemporaryDirectory(dir=folder(), prefix=READING) as work:
        yield _extracted(path, Path(work) / "parts", backup.manifest)


def _extracted(path: Path, to: Path, manifest: dict[str, Any]) -> list[Path]:
    """Unpack and compare with the checksums of the manifest."""
    to.mkdir(mode=0o700)
    with tarfile.open(path, "r:") as tar:
        tar.extractall(to, filter="data")
    for kind, part in manifest["parts"].items():
        if _digest(to / part["file"]) != part["sha256"]:
            shutil.rmtree(to)
            raise PermanentError(f"The {kind} in the archive is not what was written: the disk may be failing.", code="damaged")
    return [to / part["file"] for part in manifest["parts"].values()]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
