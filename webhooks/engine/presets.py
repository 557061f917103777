"""What each preset of a source expects: which headers, which signature, where the sender puts its names.
A preset is a row of this table; a source's `config` changes single values of it. Called by services and by verification."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

ALGORITHMS = ("sha256", "sha512", "sha1")
ENCODINGS = ("hex", "base64")
EITHER, BODY, STAMPED = "either", "body", "timestamp.body"


@dataclass(frozen=True)
class Rules:
    """How to read one sender. Header names are lower case; of several, the first that is there counts.

    `scheme`: which proof of `verification.SCHEMES`. `signed`: what the signature covers. A path is dotted, into the JSON body.
    """

    scheme: str = "hmac"
    headers: tuple[str, ...] = ("x-webhook-signature",)
    prefix: str = ""
    is_prefix_required: bool = False
    algorithm: str = "sha256"
    encoding: str = "hex"
    signed: str = BODY
    timestamp_headers: tuple[str, ...] = ()
    is_timestamp_required: bool = False
    tolerance_seconds: int = 300
    id_headers: tuple[str, ...] = ()
    id_path: str = ""
    is_alert_group: bool = False
    is_id_required: bool = False
    hook_headers: tuple[str, ...] = ()
    event_headers: tuple[str, ...] = ()
    event_paths: tuple[str, ...] = ()
    is_event_required: bool = False
    is_form_payload_required: bool = False
    is_secret_ours: bool = True


_GENERIC = Rules(
    id_headers=("x-webhook-id", "webhook-id", "x-delivery-id", "idempotency-key"),
    id_path="id",
    event_headers=("x-webhook-event", "x-event-type"),
    event_paths=("type", "event", "event_type"),
)

PRESETS: Mapping[str, Rules] = {
    "github": Rules(
        headers=("x-hub-signature-256",),
        prefix="sha256=",
        is_prefix_required=True,
        id_headers=("x-github-delivery",),
        is_id_required=True,
        hook_headers=("x-github-hook-id",),
        event_headers=("x-github-event",),
        is_event_required=True,
        is_form_payload_required=True,
    ),
    "gitlab": Rules(
        scheme="token",
        headers=("x-gitlab-token",),
        # Hooks set off by a hook share the event's UUID; the newer Idempotency-Key tells them apart.
        id_headers=("idempotency-key", "x-gitlab-event-uuid"),
        hook_headers=("x-gitlab-webhook-uuid",),
        event_headers=("x-gitlab-event",),
        is_event_required=True,
    ),
    "stripe": Rules(
        scheme="stripe", headers=("stripe-signature",), id_path="id", event_paths=("type",), is_event_required=True, is_secret_ours=False
    ),
    "slack": Rules(
        scheme="slack",
        headers=("x-slack-signature",),
        prefix="v0=",
        is_prefix_required=True,
        timestamp_headers=("x-slack-request-timestamp",),
        is_timestamp_required=True,
        id_path="event_id",
        event_paths=("event.type", "type", "command"),
        is_secret_ours=False,
    ),
    "shopify": Rules(
        headers=("x-shopify-hmac-sha256",),
        encoding="base64",
        id_headers=("x-shopify-webhook-id", "x-shopify-event-id"),
        event_headers=("x-shopify-topic",),
        is_event_required=True,
        is_secret_ours=False,
    ),
    "standard": Rules(
        scheme="standard",
        headers=("webhook-signature", "svix-signature"),
        timestamp_headers=("webhook-timestamp", "svix-timestamp"),
        is_timestamp_required=True,
        id_headers=("webhook-id", "svix-id"),
        is_id_required=True,
        event_paths=("type", "eventType", "event"),
    ),
    "alertmanager": Rules(scheme="bearer", headers=("authorization",), is_alert_group=True, event_paths=("status",)),
    "hmac": replace(_GENERIC, prefix="sha256=", signed=EITHER, timestamp_headers=("x-webhook-timestamp",)),
    "bearer": replace(_GENERIC, scheme="bearer", headers=("authorization",), timestamp_headers=("x-webhook-timestamp",)),
    "basic": replace(_GENERIC, scheme="basic", headers=("authorization",), timestamp_headers=("x-webhook-timestamp",)),
}

# What `config` of a source may set, and which field of Rules it becomes.
_NAMES = {
    "header": "headers",
    "timestamp_header": "timestamp_headers",
    "id_header": "id_headers",
    "event_header": "event_headers",
    "event_path": "event_paths",
    "hook_header": "hook_headers",
}
_PLAIN = ("prefix", "algorithm", "encoding", "signed", "tolerance_seconds", "id_path")
_ALLOWED = {
    "github": (),
    "hmac": ("header", "prefix", "algorithm", "encoding", "signed", "timestamp_header"),
    "slack": (),
    "standard": ("tolerance_seconds", "event_path"),
    "stripe": ("tolerance_seconds",),
    "alertmanager": (),
    "shopify": (),
    "gitlab": (),
}
_COMMON = ("tolerance_seconds", "id_header", "id_path", "event_header", "event_path", "hook_header")


def settings_of(preset: str) -> tuple[str, ...]:
    """The names that the `config` of a source with this preset may hold."""
    own = _ALLOWED.get(preset, ())
    if preset == "hmac":
        return own + _COMMON
    return own if preset in _ALLOWED else ("timestamp_header", *_COMMON)


def rules_for(preset: str, config: Mapping[str, Any]) -> Rules:
    """The preset with the source's own settings on top. Raises ValueError when there is no such preset."""
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}")
    changes: dict[str, Any] = {}
    for name, value in config.items():
        if name in _NAMES:
            field = _NAMES[name]
            changes[field] = ((value.lower() if field.endswith("headers") else value),) if value else ()
        elif name in _PLAIN:
            changes[name] = value
    if "prefix" not in config:
        if "header" in config:
            changes["prefix"] = ""
        elif "algorithm" in config:
            changes["prefix"] = f"{config['algorithm']}="
    return replace(PRESETS[preset], **changes)


def problems(preset: str, config: Any) -> dict[str, list[str]]:
    """What is wrong with a source's `config`: setting → sentences; empty when nothing is."""
    if not isinstance(config, Mapping):
        return {"config": ["It must be an object of settings."]}
    allowed = settings_of(preset)
    found: dict[str, list[str]] = {}
    for name, value in config.items():
        if name not in allowed:
            found[name] = [f"The preset {preset} has no setting {name!r}; it has: {', '.join(allowed) or 'none'}."]
        elif sentence := _problem(name, value):
            found[name] = [sentence]
    return found


def _problem(name: str, value: Any) -> str:
    if name == "tolerance_seconds":
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_number and 1 <= value <= 86_400 else "It must be a whole number of seconds from 1 to 86400."
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        return "It must be text of at most 200 printable characters."
    choices = {"algorithm": ALGORITHMS, "encoding": ENCODINGS, "signed": (EITHER, BODY, STAMPED)}.get(name)
    if choices and value not in choices:
        return f"It must be one of {', '.join(choices)}."
    if name == "header" and not value:
        return "It must name the header of the signature."
    return ""
