"""Hands many rows to one statement, as a table `v` in its FROM clause. Used by `recording`; the ORM's way takes twice the time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection


def table(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """The expression and its parameters. `columns`: name → PostgreSQL type; times are aware datetimes, JSON values are dicts."""
    if connection.vendor == "postgresql":
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        return f"json_to_recordset(%s::json) AS v({typed})", [orjson.dumps(records).decode()]
    named = ", ".join(f"column{place} AS {name}" for place, name in enumerate(columns, start=1))
    places = f"({', '.join(['%s'] * len(columns))})"
    listed = ", ".join([places] * len(rows))
    return f"(SELECT {named} FROM (VALUES {listed})) AS v", [_plain(value) for row in rows for value in row]  # noqa: S608 - names are ours


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return orjson.dumps(value).decode() if isinstance(value, dict) else value
