"""A thin client of GitHub's REST API at GITHUB_API_URL, under one breaker and with its quota as a gauge. Called by services."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from django.conf import settings
from django.core.cache import cache

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, LimitReached, PermanentError, TemporaryError, capture
from config.kernel.limits import breaker
from config.kernel.watch import metrics
from config.kernel.wire import http

BREAKER = "dependency:github"
API_VERSION = "2022-11-28"
TIMEOUT_SECONDS = 20
MAX_REPLY_BYTES = 8 * 1024 * 1024
_QUOTA_KEY = "github:quota_remaining"
# GitHub's quota starts anew every hour; an older figure says nothing.
_QUOTA_SECONDS = 3600
_HOOK = re.compile(r"(?:repos/(?!\.\.?/)[\w.-]+|orgs)/(?!\.\.?/)[\w.-]+/hooks/[0-9]+", re.ASCII)
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True)
class Answer:
    """GitHub's reply. `json` is None when the body holds none; header names are in lower case."""

    status: int
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """Deliveries of a hook, newest first, and the cursor of the next page (empty on the last)."""

    deliveries: list[dict[str, Any]]
    next_cursor: str


def is_configured() -> bool:
    """Whether there is a GITHUB_TOKEN to call with."""
    return bool(settings.GITHUB_TOKEN)


def get(path: str, params: Mapping[str, str | int] | None = None) -> Answer:
    """GET a path such as `/repos/o/r/pulls/1/files`. Answers of 2xx to 4xx are returned.

    Raises PermanentError (`not_configured`, or `unauthenticated` for a token GitHub refuses), LimitReached when the quota is used up,
    TemporaryError while GitHub fails or its breaker is open.
    """
    return _call("GET", f"{path}?{urlencode(params)}" if params else path)


def post(path: str, json: Any = None) -> Answer:
    """POST a JSON value. Answers and errors as `get`."""
    return _call("POST", path, b"" if json is None else orjson.dumps(json))


def list_hook_deliveries(hook: str, cursor: str = "") -> Page:
    """What GitHub tried to send to a hook (`repos/o/r/hooks/1`, `orgs/o/hooks/1`), a page. Errors as `get`, and for any status but 200."""
    answer = get(f"/{_checked(hook)}/deliveries", {"per_page": 100, **({"cursor": cursor} if cursor else {})})
    if answer.status != 200 or not isinstance(answer.json, list):
        raise PermanentError(
            f"GitHub answered {answer.status} when asked for the deliveries of {hook}. Check the hook and the token's rights."
        )
    return Page(answer.json, _next_cursor(answer.headers.get("link", "")))


def redeliver(hook: str, delivery_id: int) -> bool:
    """Ask GitHub to send one delivery again (it keeps them for three days). False when it no longer can. Errors as `get`."""
    return post(f"/{_checked(hook)}/deliveries/{int(delivery_id)}/attempts").status == 202


@metrics.gauge("github_quota_remaining", "Calls to GitHub's API left in this hour; absent while unknown.")
def quota_remaining() -> Mapping[str, float]:
    """As GitHub's last answer to any process said."""
    found = cache.get(_QUOTA_KEY)
    return {} if found is None else {"": float(found)}


def _call(method: str, path: str, body: bytes = b"") -> Answer:
    if not is_configured():
        raise PermanentError("GitHub is not configured. Set GITHUB_TOKEN.", code="not_configured")
    if not breaker.may_pass(BREAKER, trial_seconds=2 * TIMEOUT_SECONDS):
        raise TemporaryError("GitHub failed several times in a row and is left alone for a while.", code="breaker_open")
    url = f"{settings.GITHUB_API_URL}/{path.lstrip('/')}"
    reply = http.send(http.Request(method, url, _headers(), body, TIMEOUT_SECONDS, MAX_REPLY_BYTES, is_operator_target=True))
    if reply.status is None or reply.status >= 500:
        threshold, recovery = options.get("WEBHOOK_BREAKER_THRESHOLD"), options.get("WEBHOOK_BREAKER_RECOVERY")
        breaker.failed(BREAKER, threshold=threshold, recovery_seconds=recovery)
        raise TemporaryError(reply.error or f"GitHub answered with status {reply.status}.", code="github_unavailable")
    breaker.succeeded(BREAKER)
    _remember_quota(reply.headers)
    _refuse(reply.status, reply.headers)
    return Answer(reply.status, _json(reply.body), reply.headers)


def _headers() -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings.GITHUB_TOKEN}",
        "Accept": "application/vnd.github+json",
        "Content-Type": "application/json",
        "X-GitHub-Api-Version": API_VERSION,
    }


def _refuse(status: int, headers: Mapping[str, str]) -> None:
    if status == 401:
        raise PermanentError("GitHub refuses GITHUB_TOKEN. Make a new one and set it.", code="unauthenticated")
    is_used_up = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    if status == 429 or (status == 403 and is_used_up):
        raise LimitReached("GitHub's quota is used up.", retry_after_seconds=_wait_seconds(headers))


def _wait_seconds(headers: Mapping[str, str]) -> float:
    after, until = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal() and len(after) < 10:
        return float(after)
    if until.isdecimal() and len(until) < 13:
        return max(1.0, int(until) - clock.now().timestamp())
    return 60.0


def _remember_quota(headers: Mapping[str, str]) -> None:
    remaining = headers.get("x-ratelimit-remaining", "")
    if remaining.isdecimal():
        with capture("github.quota_not_kept"):
            cache.set(_QUOTA_KEY, int(remaining[:9]), timeout=_QUOTA_SECONDS)


def _next_cursor(link: str) -> str:
    found = _NEXT.search(link)
    return parse_qs(urlsplit(found[1]).query).get("cursor", [""])[0] if found else ""


def _checked(hook: str) -> str:
    if not _HOOK.fullmatch(hook.strip("/")):
        raise InvalidInput(f"{hook!r} is not a hook of GitHub. Write repos/owner/name/hooks/1 or orgs/name/hooks/1.")
    return hook.strip("/")


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
