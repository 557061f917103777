"""What an endpoint may subscribe to: exact names, `prefix.*` and `*`. Pure; the services say which names there are."""

import re
from collections.abc import Collection
from typing import Any

MOST = 200
_PATTERN = re.compile(r"\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")


def problems(patterns: Any, *, known: Collection[str], sources: Collection[str] = ()) -> list[str]:
    """Sentences against a list of subscriptions, each naming the bad value; an empty list when all can be used.

    `known` are the event types there are; names under a source's slug are taken before their first event has come.
    """
    if not isinstance(patterns, list) or not patterns:
        return ["Name at least one event: an exact name, `prefix.*` or `*`."]
    if len(patterns) > MOST:
        return [f"At most {MOST} events may be named; use `prefix.*`."]
    return [problem for pattern in patterns if (problem := _problem(pattern, known, sources))]


def _problem(pattern: Any, known: Collection[str], sources: Collection[str]) -> str:
    if not isinstance(pattern, str) or len(pattern) > 128 or not _PATTERN.fullmatch(pattern):
        return f"{str(pattern)[:60]!r} is neither an event name nor `prefix.*` nor `*`."
    prefix, dot, _ = pattern.partition(".")
    if pattern == "*" or (dot and prefix in sources):
        return ""
    if pattern.endswith(".*"):
        if any(name.startswith(pattern[:-1]) for name in known):
            return ""
        return f"No event type begins with {pattern[:-1]!r}. GET /api/v1/webhooks/event-types lists them."
    return "" if pattern in known else f"There is no event type {pattern!r}. GET /api/v1/webhooks/event-types lists them."
