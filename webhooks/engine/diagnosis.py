"""Finds out why a proof did not fit, for the operator: an old secret, a body written anew on the way, a stray space. Pure.
Costs several digests, so intake asks only for refusals that are stored; the sender never hears the answer."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from webhooks.engine.presets import Rules
from webhooks.engine.verification import Claim, Incoming, Refusal, claim_of, is_proved

# Trying other forms of a larger body would cost more than the answer is worth.
MAX_BODY = 262_144


def diagnose(
    refusal: Refusal, incoming: Incoming, *, rules: Rules, secrets: Sequence[str], expired: Sequence[tuple[str, datetime]]
) -> Refusal:
    """The refusal with the best explanation that can be found; the same one when there is nothing to add."""
    if refusal.code != "wrong_secret":
        return refusal
    claim = claim_of(incoming, rules)
    for secret, until in expired:
        if is_proved(claim, incoming.body, rules=rules, secret=secret):
            return Refusal(
                "old_secret",
                f"Signed with a secret that was replaced and accepted until {until:%Y-%m-%d %H:%M} UTC. Set the new secret at the sender.",
            )
    return _near_miss(claim, incoming, rules, secrets) or refusal


def _near_miss(claim: Claim, incoming: Incoming, rules: Rules, secrets: Sequence[str]) -> Refusal | None:
    for secret in secrets:
        if secret and any(is_proved(claim, incoming.body, rules=rules, secret=other) for other in (secret + "\n", secret.strip())):
            return Refusal("secret_whitespace", "The secret differs from the sender's only by a space or line end around it.")
    if claim.token:
        return Refusal("wrong_token", "The token or password is not the one of this source.")
    for how, body in _other_forms(incoming):
        if any(is_proved(claim, body, rules=rules, secret=secret) for secret in secrets if secret):
            return Refusal(
                "body_reserialised",
                f"The secret is right, but the body was changed on the way: the signature fits it {how}. "
                "Something between the sender and us rewrites bodies; pass the raw bytes through.",
            )
    return None


def _other_forms(incoming: Incoming) -> Iterator[tuple[str, bytes]]:
    """The same content in other bytes, each with the words that say how."""
    body = incoming.body
    if len(body) > MAX_BODY:
        return
    yield "without the white space around it", body.strip()
    yield "with a line end after it", body + b"\n"
    if incoming.content_type == "application/x-www-form-urlencoded":
        yield from _form_forms(body)
        return
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    yield from _json_forms(value)


def _json_forms(value: Any) -> Iterator[tuple[str, bytes]]:
    try:
        yield "as compact JSON", orjson.dumps(value)
        yield "as JSON with sorted keys", orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        yield "as JSON indented by two", orjson.dumps(value, option=orjson.OPT_INDENT_2)
        yield "as JSON with a space after commas and colons", json.dumps(value, ensure_ascii=False).encode()
        yield "as JSON in ASCII with a space after commas and colons", json.dumps(value).encode()
        yield "as compact JSON in ASCII", json.dumps(value, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        # What cannot be written again cannot have been signed in that form.
        return


def _form_forms(body: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        fields = parse_qsl(body.decode("utf-8"), max_num_fields=20)
    except ValueError:
        return
    for name, value in fields:
        if name == "payload":
            yield "as the JSON inside the form; the form's own bytes must be signed", value.encode("utf-8", "replace")
