"""Encryption at rest for the columns that hold secrets. Used by the encrypted fields of models and by `rotate_keys`."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from config.kernel.flow.errors import PermanentError


def encrypt(plain: str) -> str:
    """A Fernet token (AES-128-CBC with HMAC-SHA256) under the first of FIELD_ENCRYPTION_KEYS."""
    return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """The plain text. Raises PermanentError when none of FIELD_ENCRYPTION_KEYS fits."""
    try:
        return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise PermanentError(
            "A stored secret cannot be decrypted: none of FIELD_ENCRYPTION_KEYS fits. Put the key back that it was written with.",
            code="wrong_key",
        ) from None


def refresh(token: str) -> str:
    """The same secret under the first key; unchanged time stamp."""
    return _box(tuple(settings.FIELD_ENCRYPTION_KEYS)).rotate(token.encode()).decode()


@lru_cache(maxsize=8)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
