"""Makes the embedded set-up worth a look at its first start: the inbox, a GitHub source, and commands that use them.
Called by `manage.py up` through the registry of starters."""

import secrets
from collections.abc import Sequence

import orjson

from config.kernel.flow.errors import Conflict
from config.kernel.plugins.contracts import Start, Try
from config.kernel.wire import signing
from webhooks.enums import Preset
from webhooks.models import Endpoint, Source
from webhooks.services import endpoints, sources

INBOX = "inbox"
INBOX_PATH = "/inbox/receive"
EVENT = {"type": "video.completed", "data": {"videoId": "vid_1", "videoPath": "vid_1.mp4", "duration": 1200}}
PULL_REQUEST = {
    "action": "opened",
    "number": 1,
    "pull_request": {"number": 1, "title": "Say hello", "html_url": "https://github.com/example/hello/pull/1"},
    "repository": {"full_name": "example/hello"},
}


def prepare(start: Start) -> Sequence[Try]:
    """Make what is missing, then say what to try. What a person deleted or paused stays so."""
    ensure_inbox(start.base_url + INBOX_PATH)
    source = ensure_github()
    tries = [_try_event(start)]
    if source is not None and source.secret:
        tries.append(_try_github(start, source))
    return tries


def ensure_inbox(url: str) -> Endpoint | None:
    """The endpoint `inbox`, which hears everything; it follows the port. None when somebody deleted it."""
    row = Endpoint.objects.filter(uid=INBOX).order_by("-id").first()
    if row is None:
        try:
            return endpoints.register(url=url, events=["*"], uid=INBOX, description="The inbox of this installation.").endpoint
        except Conflict:
            return Endpoint.objects.filter(uid=INBOX, deleted_at__isnull=True).first()  # another `up` was first
    if row.deleted_at is not None:
        return None
    return row if row.url == url else endpoints.update(row, url=url)


def ensure_github() -> Source | None:
    """The source `github`, with a secret of its own where GITHUB_WEBHOOK_SECRET is not set. None when somebody deleted it."""
    found = sources.ensure_github()
    if found is not None or Source.objects.filter(slug=sources.GITHUB).exists():
        return found
    return sources.create(slug=sources.GITHUB, preset=Preset.GITHUB, name="GitHub").source


def _try_event(start: Start) -> Try:
    command = (
        f"curl -s {start.base_url}/api/v1/events -H 'Authorization: Bearer {{token}}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{_json(EVENT)}'"
    )
    return Try("Publish an event and see it delivered to the inbox:", command)


def _try_github(start: Start, source: Source) -> Try:
    """The signature fits exactly this body; a second send of it is answered as a duplicate."""
    body = _json(PULL_REQUEST)
    command = (
        f"curl -s {start.base_url}/api/v1/webhooks/github -H 'X-GitHub-Event: pull_request' \\\n"
        f"  -H 'X-GitHub-Delivery: {secrets.token_hex(8)}' -H 'Content-Type: application/json' \\\n"
        f"  -H 'X-Hub-Signature-256: {signing.hub_sign(source.secret, body.encode())}' \\\n"
        f"  -d '{body}'"
    )
    return Try("Send what GitHub would send for a pull request, signed with the secret of the source `github`:", command)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
