"""The API's document where no view says it: how to begin, what the tags hold, and the addresses that are plain pages.

Called by drf-spectacular after it has looked at the views (settings: POSTPROCESSING_HOOKS).
"""

from collections.abc import Mapping
from typing import Any

DESCRIPTION = """Events in from outside, events out to outside, and what happens between.

**To begin**, make a token and send it with each call as `Authorization: Bearer <token>`. In this page: press *Authorize*.

```
.venv/bin/python manage.py create_token USERNAME
```

A token may do what its owner may, or less (`--scope`). Each operation names the permission it needs; a browser that is logged in
may call too.

**Errors** are `application/problem+json` (RFC 9457): `type` is a fixed name of the kind, `detail` says what happened and what to do next,
`errors` names each wrong field, and `correlation_id` is in every log line of the call. 401: no valid token. 403: a permission is missing,
and `detail` names it. 409: it exists already, or its state does not allow this. 429 and 503: try again after `Retry-After` seconds.

**Lists** take `limit` (50, at most 1,000) and `offset`, and answer `count`, `next`, `previous` and `results`. **Writes** that start
something take an `Idempotency-Key`. Ids are texts, times are UTC in ISO 8601, addresses have no slash at the end."""

TAGS: Mapping[str, str] = {
    "events": "What happened: publish, read, let every subscriber hear it once more.",
    "event-types": "Every name that events may have, with the JSON Schema and an example of their data.",
    "endpoints": "Who hears from us: URLs, what they subscribe to, how deliveries are signed and tried again. Replays start here.",
    "deliveries": "One event for one endpoint, with every attempt. Dead letters are sent again here; test events and statistics too.",
    "replays": "Past events sent again to an endpoint, with their progress.",
    "sources": "Who may send to us, and how each proves who it is.",
    "inbound": "What came in: accepted, ignored, duplicate or refused, and why. Senders post to `/in/{source}`.",
    "metrics": "What is measured every interval: how it stands, and what it did.",
    "rules": "When this happens, and if that holds, then do: rules, trials, back-tests, and why each fired or did not.",
    "executions": "What rules did, were kept from, or would have done: newest first, with every call.",
    "automation": "The master switch, how automation stands, and its configuration.",
    "alert-rules": "Rules that raise an alert, in the words of the requirements; each is a rule like any other.",
    "queues": "Work that waits: queues with what works them off, and their items, put in, tried again, cancelled.",
    "reports": "What was counted over a period, as numbers, HTML or JSON.",
    "backups": "Archives of data: made, listed, verified. They are restored by command.",
    "public-keys": "For receivers, without a token: the keys that ed25519 signatures are verified with.",
    "actions": "What can be done: every action with its parameters, and every call with what became of it.",
    "approvals": "What waits for a person's yes or no, and answering.",
    "services": "What is looked after: how each service stands, and restarting and scaling it.",
    "operation": "For machines that watch this one, without a login.",
    "compatibility": "The addresses and shapes that the requirements print, kept exactly. New programs use `/api/v1`.",
}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """The finished document; tags and paths in the order a person reads them."""
    result["info"]["description"] = DESCRIPTION
    result["paths"].update(_plain_pages())
    used = {tag for operations in result["paths"].values() for operation in operations.values() for tag in operation["tags"]}
    known = [{"name": name, "description": about} for name, about in TAGS.items() if name in used]
    result["tags"] = known + [{"name": name} for name in sorted(used - set(TAGS))]
    return result


def _plain_pages() -> dict[str, Any]:
    return {
        "/in/{source}": {"post": _inbound("Receive a request of a sender", "inbound_receive", named=True)},
        "/api/v1/webhooks/github": {"post": _inbound("Receive an event of GitHub: the source `github`", "inbound_receive_github")},
        "/health": {"get": _page("Read how this installation is", "health", {200: "It works.", 503: "Something that it needs does not."})},
        "/metrics": {
            "get": _page(
                "Read the metrics as Prometheus wants them",
                "metrics",
                {
                    200: "Counters and gauges.",
                    401: "METRICS_TOKEN is set and was not sent.",
                    404: "ENABLE_METRICS is off.",
                    503: "No database.",
                },
                kind="text/plain",
            )
        },
        "/docs": {"get": _page("Read this document in a browser", "docs", {200: "A page."}, kind="text/html")},
    }


def _page(summary: str, name: str, answers: Mapping[int, str], *, kind: str = "application/json") -> dict[str, Any]:
    schema = {"type": "object" if kind == "application/json" else "string"}
    responses = {str(status): {"description": about, "content": {kind: {"schema": schema}}} for status, about in answers.items()}
    return {"operationId": name, "summary": summary, "tags": ["operation"], "security": [], "responses": responses}


def _inbound(summary: str, name: str, *, named: bool = False) -> dict[str, Any]:
    answers = {
        200: "It came before, or is of a kind that is only noted.",
        202: "It is stored and will be worked on.",
        400: "The body cannot be read, or a header is missing.",
        401: "The signature is wrong. Why, only the operator is told.",
        404: "There is no such source.",
        413: "The body is too large.",
        415: "The body is neither JSON nor a form.",
        429: "Too many at once; send it again after `Retry-After` seconds.",
        503: "The source is paused, or it could not be stored. Send it again.",
    }
    found = _page(summary, name, answers)
    shapes = {kind: {"schema": {"type": "object"}} for kind in ("application/json", "application/x-www-form-urlencoded")}
    source = {"name": "source", "in": "path", "required": True, "description": "The slug of the source.", "schema": {"type": "string"}}
    about = "No token: the sender's signature over the raw body says who it is."
    return {**found, "tags": ["inbound"], "description": about, "requestBody": {"content": shapes}, "parameters": [source] if named else []}
