"""What every row has: a time-ordered public id. Imported by all models."""

import secrets
from typing import TYPE_CHECKING, Any

import orjson
from django.db import models

from config.kernel.flow import clock
from config.kernel.wire import crypto

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
    TextField = models.TextField[str, str]
    AnyTextField = models.TextField[Any, Any]
else:
    CharField, TextField, AnyTextField = models.CharField, models.TextField, models.TextField

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


def new_uid(prefix: str) -> str:
    """Prefix + 26 base-32 characters: 48 bits of milliseconds, then 80 random bits (the layout of ULID)."""
    number = (int(clock.now().timestamp() * 1000) << 80) | secrets.randbits(80)
    return _written(prefix, number)


def new_uids(prefix: str, count: int) -> list[str]:
    """Several at once, in ascending order: bulk inserts ask the clock and the system's dice once."""
    first = (int(clock.now().timestamp() * 1000) << 80) | secrets.randbits(79)
    return [_written(prefix, first + step) for step in range(count)]


def _written(prefix: str, number: int) -> str:
    return prefix + "".join([ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)])


class UidField(CharField):
    """Text of at most 64 characters, unique, shown to the outside as `id`; made on creation unless the client chose it."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        self.prefix = prefix
        super().__init__(**{"max_length": 64, "unique": True, "editable": False, **options})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "prefix": self.prefix, "unique": self.unique}

    def db_type(self, connection: Any) -> str:
        """Written out, so that Django adds no second index, for LIKE, which every insert would pay for."""
        return f"character varying({self.max_length})"

    def has_default(self) -> bool:
        return True

    def get_default(self) -> str:
        return new_uid(self.prefix)


class Encrypted:
    """A column that `rotate_keys` must find."""


class EncryptedTextField(Encrypted, TextField):
    """Text that only leaves the database decrypted. An empty string stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        plain = super().get_prep_value(value)
        return crypto.encrypt(plain) if plain else plain

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return crypto.decrypt(value) if value else value


class EncryptedJSONField(Encrypted, AnyTextField):
    """A JSON value, encrypted as one text; NULL stays NULL."""

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else crypto.encrypt(orjson.dumps(value).decode())

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return orjson.loads(crypto.decrypt(value)) if value else None

    def to_python(self, value: Any) -> Any:
        return value


class Row(models.Model):
    """A row whose `id` is never shown; subclasses add `uid = UidField("…_")`."""

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True


class Leasable(models.Model):
    """A row that a worker owns until `lease_until`; `lease_token` proves that it still does."""

    lease_token = models.CharField(max_length=32, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


class Living(models.Manager[Any]):
    """Rows that nobody deleted."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(deleted_at__isnull=True)
