"""Takes secrets out of what is shown, logged or stored. Called by logs, audit, attempts, the API and the pages."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

MASK = "********"
MAX_DEPTH = 32

_SECRET_HEADER = re.compile(r"authorization|cookie|secret|token|password|api-?key|access-?key|auth-?key|credential", re.IGNORECASE)
_SECRET_WORD = re.compile(
    r"password|passwd|pwd|passphrase|secrets?|token|authorization|credentials?|cookies?|bearer|(api|private|access)key"
)
_SECRET_PAIRS = re.compile(r"(api|private|access|refresh|signing|encryption|auth|secret)_(key|token)s?$|(old|new)_secrets?$")
# These describe a secret and are none: `token_id`, `secret_length`, `password_changed_at`.
_DESCRIBING = re.compile(r"ids?|names?|type|kind|length|count|at|age|days|hours|expires|configured|set|scopes?")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTERS = re.compile(r"[^A-Za-z0-9]+")

_QUERY_VALUE = re.compile(r"=[^&;]*")
# Services whose hook URLs are secrets in themselves.
_SECRET_PATH = re.compile(r"(/services|/api/webhooks|/webhookb2|/workflows)/.+", re.IGNORECASE)
_SECRET_PATH_HOSTS = ("hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]+"), rf"\1 {MASK}"),
    # In any case, but not the words of "basic authentication".
    (re.compile(r"\b(bearer|basic)\s+(?=\S*[0-9=]|\S{16})[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\b(?:whsec_|whsk_)[A-Za-z0-9+/=_-]+"), MASK),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|sk_live_|sk_test_|rk_live_|rk_test_|xox[abeprs]-|xapp-|sk-)[A-Za-z0-9_-]{6,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), MASK),
    (re.compile(r"(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"), MASK),
    (re.compile(r"((?:passw(?:or)?d|secret|token|(?:api|access|private)_?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;}]+", re.I), rf"\1{MASK}"),
)


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers with the values of those masked that let someone in. Signatures stay: they are no secrets."""
    return {name: MASK if _is_secret_header(name) else value for name, value in given.items()}


def url(given: str) -> str:
    """The URL without user and password, every query value masked, and paths masked that are secrets (Slack, Discord, Teams)."""
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
    except ValueError:
        return MASK
    where = parts.netloc.rpartition("@")
    authority = f"{MASK}@{where[2]}" if where[1] else parts.netloc
    path = _SECRET_PATH.sub(rf"\1/{MASK}", parts.path) if host.endswith(_SECRET_PATH_HOSTS) else parts.path
    query = _QUERY_VALUE.sub(f"={MASK}", parts.query) if "=" in parts.query else (parts.query and MASK)
    return urlunsplit((parts.scheme, authority, path, query, parts.fragment and MASK))


def text(given: str) -> str:
    """Free text with everything masked that has the look of a key, a token or a password."""
    for pattern, instead in _PATTERNS:
        given = pattern.sub(instead, given)
    return given


def data(given: Any, *, depth: int = 0) -> Any:
    """A copy of a JSON value: values under telling names masked whole, other strings as by `text`."""
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(given, str):
        return text(given)
    if isinstance(given, Mapping):
        return {name: MASK if _hides(name, value) else data(value, depth=depth + 1) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return [data(item, depth=depth + 1) for item in given]
    return given


def is_secret_name(name: str) -> bool:
    """Whether a field of this name (snake, kebab or camel case) holds a secret: `api_key`, `clientSecret`, but not `token_id`."""
    words = [word for word in _NO_LETTERS.split(_WORD_START.sub("_", name).lower()) if word]
    if not words or _DESCRIBING.fullmatch(words[-1]) or words[0] in {"is", "has"}:
        return False
    return any(_SECRET_WORD.fullmatch(word) for word in words) or bool(_SECRET_PAIRS.search("_".join(words)))


def _hides(name: Any, value: Any) -> bool:
    return isinstance(name, str) and value is not None and not isinstance(value, bool) and value != "" and is_secret_name(name)


@lru_cache(maxsize=2048)
def _is_secret_header(name: str) -> bool:
    return "signature" not in name.lower() and bool(_SECRET_HEADER.search(name))
