"""`manage.py rotate_keys`: everything encrypted comes under the first of FIELD_ENCRYPTION_KEYS."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction
from django.db.models.functions import Cast

from config.kernel.flow import context
from config.kernel.models.base import Encrypted
from config.kernel.watch import audit
from config.kernel.wire import crypto

BATCH = 500
_RAW = "raw_text"  # the column as it is stored, past the field that would decrypt it


@dataclass(frozen=True)
class Progress:
    """How far a column is: rows seen, and rows that none of the keys can open."""

    column: str
    done: int
    failed: int


class Command(BaseCommand):
    """Safe to repeat and to break off; works while Steward runs."""

    help = "Re-encrypt all stored secrets under the first of FIELD_ENCRYPTION_KEYS. Afterwards the other keys can be removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        found: dict[str, Progress] = {}
        for progress in rotate():
            found[progress.column] = progress
            if not given["as_json"]:
                self.stdout.write(f"{progress.column}: {progress.done} re-encrypted")
        done, failed = sum(one.done for one in found.values()), sum(one.failed for one in found.values())
        with context.using(actor="command line"):
            audit.record("keys.rotated", "installation", done=done, failed=failed)
        if given["as_json"]:
            self.stdout.write(orjson.dumps({"done": done, "failed": failed, "columns": [asdict(one) for one in found.values()]}).decode())
        else:
            self.stdout.write(f"{done} secrets are under the first key.")
        if failed:
            raise CommandError(
                f"{failed} secrets fit none of FIELD_ENCRYPTION_KEYS and were left as they are. Put the missing key back and repeat."
            )


def rotate(*, batch: int = BATCH) -> Iterator[Progress]:
    """Every encrypted column in batches, one transaction each; one Progress after each batch. Safe to repeat or break off."""
    for model, field in columns():
        yield from _rotate_column(model, field.attname, batch)


def columns() -> list[tuple[type[models.Model], Any]]:
    """Every encrypted column of every installed app."""
    found = []
    for model in apps.get_models():
        if model._meta.managed and not model._meta.proxy:
            found += [(model, field) for field in model._meta.local_fields if isinstance(field, Encrypted)]
    return found


def _rotate_column(model: type[models.Model], name: str, batch: int) -> Iterator[Progress]:
    last: Any = None
    done = failed = 0
    while rows := _next_rows(model, name, last, batch):
        last = rows[-1][0]
        with transaction.atomic():
            failures = sum(not _rotate_row(model, name, pk, raw) for pk, raw in rows)
        done, failed = done + len(rows) - failures, failed + failures
        yield Progress(f"{model._meta.label}.{name}", done, failed)


def _next_rows(model: type[models.Model], name: str, last: Any, batch: int) -> list[tuple[Any, str]]:
    rows = _stored(model, name).exclude(**{_RAW: ""}).exclude(**{f"{_RAW}__isnull": True}).order_by("pk")
    if last is not None:
        rows = rows.filter(pk__gt=last)
    return list(rows.values_list("pk", _RAW)[:batch])


def _rotate_row(model: type[models.Model], name: str, pk: Any, raw: str) -> bool:
    """False when no key fits. A row that somebody changed meanwhile is under the first key already."""
    try:
        fresh = crypto.refresh(raw)
    except InvalidToken:
        return False
    _stored(model, name).filter(pk=pk, **{_RAW: raw}).update(**{name: models.Value(fresh, output_field=models.TextField())})
    return True


def _stored(model: type[models.Model], name: str) -> "models.QuerySet[Any]":
    rows: models.QuerySet[Any] = model._base_manager.annotate(**{_RAW: Cast(name, models.TextField())})
    return rows
