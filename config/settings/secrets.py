"""Makes and reads DATA_DIR/secrets.json. Called by the settings only, before Django is ready."""

import base64
import json
import os
import secrets
from pathlib import Path
from typing import TypedDict


class Secrets(TypedDict):
    """The keys an installation needs before anybody has configured it."""

    secret_key: str
    field_encryption_keys: list[str]
    audit_key: str


def load_or_make(data_dir: Path) -> Secrets:
    """The secrets of this DATA_DIR; the first start writes them (0600, atomically)."""
    path = data_dir / "secrets.json"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _write_once(path, _fresh())
    found: Secrets = json.loads(path.read_text())
    return found


def _fresh() -> Secrets:
    return {
        "secret_key": secrets.token_urlsafe(50),
        "field_encryption_keys": [base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()],
        "audit_key": secrets.token_hex(32),
    }


def _write_once(path: Path, content: Secrets) -> None:
    """Two processes may start at once: the first link wins, the other reads what it wrote."""
    temporary = path.with_name(f".secrets.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
