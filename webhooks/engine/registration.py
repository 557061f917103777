"""What may be said of an endpoint: every field checked, a sentence per mistake. Pure; called by services/endpoints."""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.engine import envelope, filters, patterns
from webhooks.enums import Security, Strategy

UID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Last parts of our own routes, which an endpoint of that name would hide behind.
RESERVED_UIDS = frozenset({"system", "test", "github", "register", "new"})
LONGEST_SECRET = 300
_VISIBLE = re.compile(r"[\x21-\x7e]+")
WEEK = 604_800


@dataclass(frozen=True)
class Bounds:
    """What the installation allows: the longest timeout (seconds), whether deliveries must be authenticated, and which names there are."""

    longest_timeout: int
    requires_auth: bool
    event_types: Collection[str] = ()
    sources: Collection[str] = ()


# name → least, most, whether it may be left empty (then a live option decides)
WHOLE: Mapping[str, tuple[int, int, bool]] = {
    "retry_base_seconds": (0, 86_400, True),
    "max_attempts": (1, 100, True),
    "retry_max_delay_seconds": (1, WEEK, False),
    "auto_disable_days": (0, 365, True),
    "rate_per_minute": (1, 1_000_000, True),
    "max_in_flight": (1, 1000, True),
    "batch_size": (1, 1000, False),
    "batch_max_wait_seconds": (0, 3600, False),
}
TEXTS: Mapping[str, int] = {"description": 300, "ordering_key": 200}


def problems(fields: Mapping[str, Any], bounds: Bounds) -> dict[str, list[str]]:
    """Sentences by field; empty when all of it can be used. Fields that are not named are not checked; `url` is the service's."""
    found: dict[str, list[str]] = {}
    for name, value in fields.items():
        if sentences := _field_problems(name, value, fields, bounds):
            found[name] = sentences
    return found


def uid_problem(uid: str) -> str:
    """A sentence against an id that a client chose; empty when it can be used."""
    if not UID.fullmatch(uid):
        return "The id may have 1 to 64 letters, digits, `_` and `-`."
    if uid in RESERVED_UIDS:
        return f"The id {uid!r} is reserved for a route of ours. Choose another."
    return ""


def secret_problem(secret: str, *, security: str) -> str:
    """A sentence against a secret or token; empty when it can be used.

    Short secrets are taken, because programs exist that sign with them; what begins with `whsec_` must be what it says, base64 of
    24 to 64 bytes, or receivers would decode another key than ours. Tokens travel in a header: visible ASCII only.
    """
    if not secret or len(secret) > LONGEST_SECRET:
        return f"The secret must have 1 to {LONGEST_SECRET} characters."
    if security in (Security.BEARER_TOKEN, Security.API_KEY):
        return "" if _VISIBLE.fullmatch(secret) else "A token may have visible ASCII characters only: it is sent in a header."
    if not secret.isprintable():
        return "The secret must have printable characters only."
    if secret.startswith("whsec_") and not 24 <= _decoded_length(secret.removeprefix("whsec_")) <= 64:
        return "A secret that begins with `whsec_` must go on with base64 of 24 to 64 bytes."
    return ""


def _field_problems(name: str, value: Any, fields: Mapping[str, Any], bounds: Bounds) -> list[str]:
    if name == "events":
        return patterns.problems(value, known=bounds.event_types, sources=bounds.sources)
    if name == "filter_conditions":
        return filters.validate(value)
    if name == "headers":
        return envelope.header_problems(value or {}, security=fields.get("security", Security.HMAC_SHA256))
    problem = _simple_problem(name, value, fields, bounds)
    return [problem] if problem else []


def _simple_problem(name: str, value: Any, fields: Mapping[str, Any], bounds: Bounds) -> str:
    if name in WHOLE:
        least, most, may_be_empty = WHOLE[name]
        return _whole_problem(value, least, most, may_be_empty=may_be_empty)
    if name in TEXTS:
        return "" if isinstance(value, str) and len(value) <= TEXTS[name] else f"It must be a text of at most {TEXTS[name]} characters."
    return CHECKS[name](value, fields, bounds) if name in CHECKS else ""


def _security_problem(value: Any, _: Mapping[str, Any], bounds: Bounds) -> str:
    if value not in Security.values:
        return f"There is no security {value!r}; there are {', '.join(Security.values)}."
    if value == Security.NONE and bounds.requires_auth:
        return "Deliveries must be authenticated here (REQUIRE_WEBHOOK_AUTH); choose hmac_sha256, bearer_token or api_key."
    return ""


def _strategy_problem(value: Any, fields: Mapping[str, Any], _: Bounds) -> str:
    if value not in Strategy.values:
        return f"There is no retry strategy {value!r}; there are {', '.join(Strategy.values)}."
    if value == Strategy.SCHEDULE and not fields.get("retry_schedule"):
        return "The strategy `schedule` needs a retry_schedule: the delay in seconds before each attempt."
    return ""


def _timeout_problem(value: Any, _: Mapping[str, Any], bounds: Bounds) -> str:
    return _whole_problem(value, 1, bounds.longest_timeout, may_be_empty=True)


def _switch_problem(value: Any, *_: Any) -> str:
    return "" if isinstance(value, bool) else "It must be true or false."


def _jitter_problem(value: Any, *_: Any) -> str:
    is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return "" if is_share else "It must be a number from 0 to 1."


def _schedule_problem(value: Any, *_: Any) -> str:
    if not isinstance(value, list | tuple) or len(value) > 100:
        return "It must be a list of at most 100 delays in seconds."
    if any(_whole_problem(one, 0, WEEK, may_be_empty=False) for one in value):
        return f"Each delay must be a whole number of seconds from 0 to {WEEK}."
    return ""


def _whole_problem(value: Any, least: int, most: int, *, may_be_empty: bool) -> str:
    if value is None and may_be_empty:
        return ""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        return f"It must be a whole number from {least} to {most}."
    return ""


def _decoded_length(text: str) -> int:
    bare = text.rstrip("=")
    try:
        return len(b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    except (binascii.Error, ValueError):
        return 0


CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any], Bounds], str]] = {
    "security": _security_problem,
    "timeout_seconds": _timeout_problem,
    "batch_enabled": _switch_problem,
    "retry_jitter": _jitter_problem,
    "retry_strategy": _strategy_problem,
    "retry_schedule": _schedule_problem,
}
