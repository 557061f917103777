"""Turns DATABASE_URL into Django's setting, with the options that were measured to hold under load."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

# Without IMMEDIATE, writers of several processes meet "database is locked"; with it and 20 s of patience, none.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=20000;",
}

# How our connections are called on the servers, so that they can be told from others.
CLIENT_NAME = "steward"
KINDS = ("postgres", "postgresql", "sqlite")


def database(url: str) -> dict[str, Any]:
    """Settings of one database: `postgres://`, `postgresql://`, `postgresql+asyncpg://` or `sqlite:///path`.

    Raises ImproperlyConfigured for anything else.
    """
    scheme, _, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    try:
        found: dict[str, Any] = environ.Env.db_url_config(f"{kind}://{rest}")
    except ValueError:
        found = {}
    if kind not in KINDS or not found:
        # Not the URL itself: it may hold a password.
        raise ImproperlyConfigured("DATABASE_URL cannot be read. Write postgres://user:password@host:5432/name or sqlite:///path.")
    found["CONN_MAX_AGE"] = None
    found["CONN_HEALTH_CHECKS"] = True
    if found["ENGINE"].endswith("sqlite3"):
        found["OPTIONS"] = {**SQLITE_OPTIONS, **found.get("OPTIONS", {})}
    else:
        found["OPTIONS"] = {"connect_timeout": 3, "application_name": CLIENT_NAME, **found.get("OPTIONS", {})}
    return found
