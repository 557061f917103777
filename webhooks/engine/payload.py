"""Reads the body of an inbound request, JSON or form, and the names it bears. Pure; called by intake after the signature."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import orjson

from webhooks.engine.presets import Rules
from webhooks.engine.verification import Incoming, Refusal

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 1000
MAX_DEPTH = 200
MAX_NAME = 128
MAX_TYPE = 128
NO_NAME = "received"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
_DOTS = re.compile(r"\.{2,}")
_PLAIN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Parsed:
    """The data of the event: the value, and the JSON bytes it came as."""

    value: Any
    raw: bytes


@dataclass(frozen=True)
class Names:
    """What the sender calls this request. The ids fit the columns of a receipt."""

    delivery_id: str
    hook_id: str
    event: str


def parse(incoming: Incoming, rules: Rules) -> Parsed:
    """The body as data. Raises Refusal: 415 when it is neither JSON nor a form or is compressed, 400 when it cannot be read."""
    coding = incoming.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise Refusal("content_encoding", f"The body is compressed ({coding[:40]!a}); send it plain.", http_status=415)
    kind = incoming.content_type
    if kind == "application/json" or kind.endswith("+json"):
        return _json(incoming.body)
    if kind == FORM:
        return _form(incoming.body, rules)
    raise Refusal("content_type", "The content type must be application/json or application/x-www-form-urlencoded.", http_status=415)


def names_of(incoming: Incoming, parsed: Parsed, rules: Rules) -> Names:
    """Delivery id, hook id and event name. Raises Refusal (400) when the preset needs one that is missing."""
    event = _event_name(incoming, parsed.value, rules)
    return Names(
        delivery_id=_delivery_id(incoming, parsed.value, rules, event),
        hook_id=_fitting(incoming.first(rules.hook_headers), 64),
        event=event,
    )


def names_by_header(incoming: Incoming, rules: Rules) -> Names:
    """What can be said without trusting or reading the body; for requests that are refused."""
    event = _printable(incoming.first(rules.event_headers))
    return Names(_fitting(incoming.first(rules.id_headers), 200), _fitting(incoming.first(rules.hook_headers), 64), event)


def type_of(slug: str, event: str) -> str:
    """The type of our event: the source's slug and the sender's name, of letters, digits and `_.-` only."""
    name = _DOTS.sub(".", _UNFIT.sub("_", event.replace("/", "."))).strip("._")
    return f"{slug}.{name or NO_NAME}"[:MAX_TYPE].rstrip(".")


def look_up(value: Any, path: str) -> Any:
    """What is at the dotted path in nested objects, or None."""
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _json(body: bytes) -> Parsed:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Only where it went wrong: the sender's text is not echoed.
        raise Refusal("bad_json", f"The body is not JSON (line {error.lineno}, column {error.colno}).", http_status=400) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        raise Refusal("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.", http_status=400)
    if isinstance(value, dict):
        return Parsed(value, body)
    # Events' data are objects everywhere; anything else goes into one, its bytes unchanged.
    return Parsed({"body": value}, b'{"body":' + body + b"}")


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(parent: Any) -> Any:
    return parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ()


def _form(body: bytes, rules: Rules) -> Parsed:
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refusal(
            "bad_form", f"The form cannot be read: it must be UTF-8 and have at most {MAX_FIELDS} fields.", http_status=400
        ) from None
    if rules.is_form_payload_required and "payload" not in fields:
        raise Refusal(
            "payload_missing", "The form has no field payload. Choose the content type application/json at the sender.", http_status=400
        )
    if "payload" in fields:
        return _json(fields["payload"][0].encode())
    value = {name: given[0] if len(given) == 1 else given for name, given in fields.items()}
    return Parsed(value, orjson.dumps(value))


def _event_name(incoming: Incoming, value: Any, rules: Rules) -> str:
    found = incoming.first(rules.event_headers)
    for path in rules.event_paths:
        if not found and isinstance(here := look_up(value, path), str):
            found = here.strip()
    name = _printable(found)
    if not name.strip("._ /") and rules.is_event_required:
        where = rules.event_headers[0] if rules.event_headers else f"{rules.event_paths[0]} in the body"
        raise Refusal("event_missing", f"The name of the event is missing: {where}.", http_status=400)
    return name or NO_NAME


def _delivery_id(incoming: Incoming, value: Any, rules: Rules, event: str) -> str:
    if found := _fitting(incoming.first(rules.id_headers), 200):
        return found
    if rules.id_path and (found := _fitting(_text(look_up(value, rules.id_path)), 200)):
        return found
    if rules.is_id_required:
        raise Refusal("id_missing", f"The id of the delivery is missing: {rules.id_headers[0]}.", http_status=400)
    if rules.is_alert_group and (parts := _alert_group(value)):
        return _hash(*parts)
    # Nothing names this delivery, so only its content can.
    return _hash(event.encode(), incoming.first(rules.timestamp_headers).encode("utf-8", "backslashreplace"), incoming.body)


def _alert_group(value: Any) -> Sequence[bytes]:
    """Group and state of its alerts: a notification repeated with the same state is the same delivery."""
    alerts = value.get("alerts") if isinstance(value, Mapping) else None
    if not isinstance(alerts, list) or not value.get("groupKey"):
        return ()
    states = sorted(
        orjson.dumps([alert.get(name) for name in ("fingerprint", "status", "startsAt")]) for alert in alerts if isinstance(alert, Mapping)
    )
    return [orjson.dumps(value["groupKey"]), *states]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "_" for character in text[:MAX_NAME])


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _fitting(text: str, limit: int) -> str:
    """Visible ASCII that fits the column as it is; anything else by its hash, so that two different ids stay different."""
    if not text or (len(text) <= limit and _PLAIN.fullmatch(text)):
        return text
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _hash(*parts: bytes) -> str:
    made = sha256()
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()
