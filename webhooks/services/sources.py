"""Everything that is done to a source: made, changed, paused, given a new secret, deleted. Called by the API, the admin,
the dashboard and commands; intake looks sources up here."""

import re
import secrets as tokens
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from config.kernel.desk import options
from config.kernel.flow import clock, events, transitions
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.models import EventType
from config.kernel.watch import audit
from config.kernel.wire import signing
from webhooks.engine import presets, setup
from webhooks.engine.presets import Rules
from webhooks.enums import Preset, SourceStatus
from webhooks.models import Source

GITHUB = "github"
FRESH_SECONDS = 1.0
MAX_REMEMBERED = 1000
# Replaced secrets are remembered past their overlap, so that a refusal can say "signed with the old secret".
KEPT_SECRETS = 4
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_HOOK = re.compile(r"(repos/[\w.-]+/[\w.-]+|orgs/[\w.-]+)/hooks/\d+")
# First parts of our own event names: an event from outside must never be taken for one of them.
RESERVED = frozenset(
    {
        "alert",
        "approval",
        "automation",
        "breaker",
        "configuration",
        "delivery",
        "deployment",
        "endpoint",
        "event",
        "events",
        "fix",
        "healing",
        "incident",
        "kernel",
        "notification",
        "pipeline",
        "queue",
        "replay",
        "rule",
        "run",
        "service",
        "source",
        "steward",
        "system",
        "task",
        "workflow",
    }
)
CHANGEABLE = frozenset({"name", "preset", "config", "rate_per_second", "rate_burst", "max_body_bytes", "github_hook"})


@dataclass(frozen=True)
class Created:
    """A new source and its secret: the one moment it is shown."""

    source: Source
    secret: str


@dataclass
class Allowance:
    """Tokens that this process took beforehand from the bucket of a source with a large burst; lost after a second at most."""

    left: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def use_one(self) -> bool:
        """Whether there was one."""
        with self.lock:
            if self.left < 1:
                return False
            self.left -= 1
            return True

    def add(self, tokens: int) -> None:
        """Keep these for the next requests."""
        with self.lock:
            self.left += tokens


@dataclass(frozen=True)
class Known:
    """A source as requests need it: limits filled in, secrets decrypted, at most a second old."""

    source: Source
    rules: Rules
    secrets: tuple[tuple[str, datetime | None], ...]
    per_second: float
    burst: int
    max_body_bytes: int
    allowance: Allowance = field(default_factory=Allowance)

    def accepted_secrets(self, now: datetime) -> list[str]:
        """The secret, and replaced ones within their overlap."""
        return [secret for secret, until in self.secrets if secret and (until is None or until > now)]

    def expired_secrets(self, now: datetime) -> list[tuple[str, datetime]]:
        """Replaced secrets that are no longer accepted, with the end of their overlap."""
        return [(secret, until) for secret, until in self.secrets if until is not None and until <= now]


@dataclass(frozen=True)
class SetupHelp:
    """Where the sender must post to, and what to type where."""

    url: str
    steps: Sequence[str]


_known: dict[str, tuple[datetime, Known | None]] = {}


def find(slug: str) -> Source:
    """The living source. Raises NotFound."""
    if (found := Source.living.filter(slug=slug).first()) is None:
        raise NotFound(f"There is no source {slug[:64]!r}; it may have been deleted.")
    return found  # type: ignore[no-any-return]


@transaction.atomic
def create(
    *,
    slug: str,
    preset: str,
    secret: str = "",
    config: dict[str, Any] | None = None,
    name: str = "",
    rate_per_second: float | None = None,
    rate_burst: int | None = None,
    max_body_bytes: int | None = None,
    github_hook: str = "",
) -> Created:
    """A new source. Without a `secret` one is made, unless the sender is who makes it (Stripe, Slack, Shopify): then set it later.

    Raises InvalidInput for a bad slug, preset, config or limit, and Conflict when the slug is taken.
    """
    source = Source(
        slug=slug,
        preset=preset,
        config=config or {},
        name=name,
        rate_per_second=rate_per_second,
        rate_burst=rate_burst,
        max_body_bytes=max_body_bytes,
        github_hook=github_hook,
    )
    _check_slug(slug)
    _check(source)
    source.secret = secret or (_new_secret(preset) if presets.PRESETS[preset].is_secret_ours else "")
    _check_secret(source, source.secret)
    try:
        with transaction.atomic():
            source.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"There is a source {slug!r} already. Choose another slug, or change that one.", code="slug_taken") from None
    _tell("source.created", source, preset=preset)
    return Created(source, source.secret)


@transaction.atomic
def update(source: Source, **fields: Any) -> Source:
    """Change name, config, limits or the GitHub hook. Raises InvalidInput for other fields and for bad values."""
    if unknown := sorted(set(fields) - CHANGEABLE):
        fields_wrong = {key: ["It cannot be changed."] for key in unknown}
        raise InvalidInput(f"These cannot be changed on a source: {', '.join(unknown)}.", fields=fields_wrong)
    changed = {key: value for key, value in fields.items() if getattr(source, key) != value}
    for key, value in changed.items():
        setattr(source, key, value)
    _check(source)
    if changed:
        source.save(update_fields=list(changed))
        audit.record("source.updated", source, changed=sorted(changed))
        _forget_after_commit(source.slug)
    return source


@transaction.atomic
def pause(source: Source) -> bool:
    """Answer 503 to its requests until it is resumed; senders that retry come back. False if it was paused already."""
    if not transitions.move(source, to=SourceStatus.PAUSED):
        return False
    _tell("source.paused", source)
    return True


@transaction.atomic
def resume(source: Source) -> bool:
    """Listen to it again. False if it was not paused."""
    if not transitions.move(source, to=SourceStatus.ACTIVE):
        return False
    _tell("source.resumed", source)
    return True


@transaction.atomic
def rotate_secret(source: Source, *, secret: str = "", overlap_hours: float | None = None) -> str:
    """Give it a new secret (made here when empty), which is returned; the old one is accepted for `overlap_hours` more.

    `overlap_hours` defaults to WEBHOOK_ROTATION_HOURS. Raises InvalidInput when the secret does not fit the preset.
    """
    new = secret or _new_secret(source.preset)
    _check_secret(source, new)
    hours = options.get("WEBHOOK_ROTATION_HOURS") if overlap_hours is None else overlap_hours
    fresh = Source.objects.select_for_update().get(pk=source.pk)
    until = clock.text(clock.now() + timedelta(hours=max(float(hours), 0.0)))
    old = [pair for pair in _old_secrets(fresh) if pair[0] != new]
    replaced = [(fresh.secret, until)] if fresh.secret and fresh.secret != new else []
    changes: dict[str, Any] = {"secret": new, "old_secrets": [*replaced, *old][:KEPT_SECRETS]}
    for name, value in changes.items():
        setattr(source, name, value)
    source.save(update_fields=list(changes))
    _tell("source.secret_rotated", source, old_accepted_until=until)
    return new


@transaction.atomic
def delete(source: Source) -> bool:
    """Answer 404 to its requests from now on; receipts and events stay. The slug is free again. False if it was deleted already."""
    now = clock.now()
    if not Source.objects.filter(pk=source.pk, deleted_at__isnull=True).update(deleted_at=now):
        return False
    source.deleted_at = now
    _tell("source.deleted", source)
    return True


def known_by(slug: str) -> Known | None:
    """The living source as requests need it, at most a second old, or None. Makes `github` when only the environment knows it."""
    if not _SLUG.fullmatch(slug):
        return None
    now = clock.now()
    found = _known.get(slug)
    if found is not None and found[0] > now >= found[0] - timedelta(seconds=FRESH_SECONDS):
        return found[1]
    source = _living(slug)
    if source is None and slug == GITHUB:
        source = ensure_github()
    if len(_known) >= MAX_REMEMBERED:
        _known.clear()
    known = ready(source) if source else None
    _known[slug] = (now + timedelta(seconds=FRESH_SECONDS), known)
    return known


def ready(source: Source) -> Known:
    """The source with its limits filled in and its secrets decrypted."""
    old = [(secret, datetime.fromisoformat(until)) for secret, until in _old_secrets(source)]
    return Known(
        source=source,
        rules=presets.rules_for(source.preset, source.config),
        secrets=((source.secret, None), *old),
        per_second=source.rate_per_second or options.get("INBOUND_RATE_PER_SECOND"),
        burst=source.rate_burst or options.get("INBOUND_RATE_BURST"),
        max_body_bytes=source.max_body_bytes or options.get("INBOUND_MAX_BODY_BYTES"),
    )


def forget() -> None:
    """Drop what this process remembers of sources; the next look reads the rows."""
    _known.clear()


def ensure_github() -> Source | None:
    """The source `github` under GITHUB_WEBHOOK_SECRET: made when missing, rotated when the environment has a secret it never had.

    None when the variable is not set and there is no such source. A secret that a person set later is left alone.
    """
    secret, source = settings.GITHUB_WEBHOOK_SECRET, _living(GITHUB)
    if not secret:
        return source
    if source is None:
        try:
            return create(slug=GITHUB, preset=Preset.GITHUB, secret=secret, name="GitHub").source
        except Conflict:
            return _living(GITHUB)
    if source.preset == Preset.GITHUB and secret not in (source.secret, *(old for old, _ in _old_secrets(source))):
        rotate_secret(source, secret=secret)
    return source


def setup_help(source: Source) -> SetupHelp:
    """The address for the sender, and the steps at that vendor."""
    path = "/api/v1/webhooks/github" if source.slug == GITHUB else f"/in/{source.slug}"
    url = settings.PUBLIC_URL + path
    return SetupHelp(url, setup.steps(source.preset, url, presets.rules_for(source.preset, source.config)))


def _living(slug: str) -> Source | None:
    found: Source | None = Source.living.filter(slug=slug).first()
    return found


def _old_secrets(source: Source) -> list[tuple[str, str]]:
    """Replaced secrets, newest first, each with the ISO 8601 moment until which it is accepted."""
    kept: Any = source.old_secrets or []
    return [(secret, until) for secret, until in kept]


def _new_secret(preset: str) -> str:
    if preset == Preset.STANDARD:
        return signing.new_secret()
    random = tokens.token_urlsafe(32)
    return f"steward:{random}" if preset == Preset.BASIC else random


def _check_slug(slug: str) -> None:
    if not _SLUG.fullmatch(slug):
        sentence = "Use 1 to 48 lower-case letters, digits, `_` and `-`, beginning with a letter or digit."
    elif slug in RESERVED or EventType.objects.filter(name__startswith=f"{slug}.").exclude(origin=EventType.Origin.INBOUND).exists():
        sentence = f"Events of our own begin with `{slug}.`; choose a slug that cannot be mistaken for them."
    else:
        return
    raise InvalidInput(f"The slug {slug[:60]!r} cannot be used. {sentence}", fields={"slug": [sentence]})


def _check(source: Source) -> None:
    """Raises InvalidInput for what the columns would not take, and for settings that the preset does not have."""
    if source.preset not in presets.PRESETS:
        raise InvalidInput(f"There is no preset {source.preset!r}.", fields={"preset": [f"Choose one of {', '.join(presets.PRESETS)}."]})
    wrong = {f"config.{key}": sentences for key, sentences in presets.problems(source.preset, source.config).items()}
    for limited, low, high in (("rate_per_second", 0.001, 100_000), ("rate_burst", 1, 100_000), ("max_body_bytes", 1, 268_435_456)):
        value = getattr(source, limited)
        if value is not None and not low <= value <= high:
            wrong[limited] = [f"It must be from {low} to {high}, or empty for the default."]
    if len(source.name) > 120:
        wrong["name"] = ["It may have 120 characters."]
    if source.github_hook and not _HOOK.fullmatch(source.github_hook):
        wrong["github_hook"] = ["It must read repos/OWNER/NAME/hooks/ID or orgs/NAME/hooks/ID."]
    if wrong:
        raise InvalidInput(f"The source {source.slug} cannot be saved: {next(iter(wrong.values()))[0]}", fields=wrong)


def _check_secret(source: Source, secret: str) -> None:
    is_bad = len(secret) > 500 or not secret.isprintable() or secret != secret.strip()
    if source.preset == Preset.BASIC and ":" not in secret:
        sentence = "It must read user:password."
    elif is_bad:
        sentence = "It may have 500 printable characters, without a space at either end."
    else:
        return
    raise InvalidInput(f"The secret of {source.slug} cannot be used. {sentence}", fields={"secret": [sentence]})


def _tell(action: str, source: Source, **detail: Any) -> None:
    audit.record(action, source, **detail)
    events.publish(action, subject=source, data={"source_id": source.uid, "slug": source.slug, **detail})
    _forget_after_commit(source.slug)


def _forget_after_commit(slug: str) -> None:
    """Now for this transaction, and again after it: meanwhile another thread may have remembered the row as it was."""
    _known.pop(slug, None)
    transaction.on_commit(partial(_known.pop, slug, None))
