"""Everything that is done to an endpoint: registered, changed, paused, disabled, given a new secret, deleted.

Called by the API, the admin, the dashboard, commands and the façade; whether the caller may is the door's question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from config.kernel.desk import options
from config.kernel.flow import clock, events, jobs, transitions
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.limits import breaker
from config.kernel.limits.backoff import Policy
from config.kernel.models import Event, EventType
from config.kernel.watch import audit, notifications
from config.kernel.wire import addresses, redact, signing
from webhooks.engine import registration
from webhooks.engine.envelope import Credentials
from webhooks.engine.registration import Bounds
from webhooks.enums import EndpointStatus, ReplayStatus, Security, Strategy
from webhooks.models import Delivery, Endpoint, Replay, Source
from webhooks.services import deliveries, fanout, sources
from webhooks.services import stats as numbers

KEPT_SECRETS = 4
# What a person may change, with the default that a full replacement goes back to.
DEFAULTS: Mapping[str, Any] = {
    "description": "",
    "filter_conditions": {},
    "security": Security.HMAC_SHA256,
    "headers": None,
    "timeout_seconds": None,
    "retry_strategy": Strategy.EXPONENTIAL,
    "retry_base_seconds": None,
    "max_attempts": None,
    "retry_max_delay_seconds": 86400,
    "retry_jitter": 0,
    "retry_schedule": [],
    "auto_disable_days": None,
    "rate_per_minute": None,
    "max_in_flight": None,
    "ordering_key": "",
    "batch_enabled": False,
    "batch_size": 100,
    "batch_max_wait_seconds": 5,
}
HEALED = {"failing_since": None, "breaker_open_until": None, "rate_held_until": None}


@dataclass(frozen=True)
class Registered:
    """A new endpoint and its secret: the one moment it is shown."""

    endpoint: Endpoint
    secret: str


def find(uid: str) -> Endpoint:
    """The living endpoint. Raises NotFound."""
    if (found := Endpoint.living.filter(uid=uid).first()) is None:
        raise NotFound(f"There is no endpoint {uid[:64]!r}; it may have been deleted.")
    return found  # type: ignore[no-any-return]


def defaults() -> dict[str, Any]:
    """The changeable fields with their defaults, but for `url` and `events`."""
    return dict(DEFAULTS)


@transaction.atomic
def register(
    *,
    url: str,
    events: Sequence[str],
    uid: str = "",
    secret: str = "",
    security: str = Security.HMAC_SHA256,
    owner: User | None = None,
    asymmetric: bool = False,
    **fields: Any,
) -> Registered:
    """A new endpoint. Without a `secret` one of WEBHOOK_SECRET_LENGTH random bytes is made; `asymmetric` adds ed25519 signatures.

    Raises InvalidInput naming each bad field, and Conflict when a living endpoint has the id `uid`.
    """
    given = {"url": url, "events": events, "security": security, **_with_strategy(fields)}
    endpoint = Endpoint(owner=owner, secret_changed_at=clock.now(), secret=secret or _new_secret(security))
    if uid:
        _check_uid(uid)
        endpoint.uid = uid
    _take(endpoint, given)
    _check_secret(endpoint)
    if asymmetric:
        endpoint.signing_key = signing.ed25519_new()[0]
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"There is an endpoint {uid!r} already. Choose another id, or change that one.", code="id_taken") from None
    _tell("endpoint.created", endpoint, events=list(endpoint.events), security=str(endpoint.security))
    return Registered(endpoint, endpoint.secret)


@transaction.atomic
def update(endpoint: Endpoint, *, secret: str = "", asymmetric: bool | None = None, **fields: Any) -> Endpoint:
    """Change what is named. A new `secret` is taken as a rotation; a new URL starts with a clean record. Raises InvalidInput."""
    before = {name: getattr(endpoint, name) for name in ("url", "events", *DEFAULTS)}
    _take(endpoint, _with_strategy(fields))
    changed = [name for name, value in before.items() if getattr(endpoint, name) != value]
    if secret and secret != endpoint.secret:
        rotate_secret(endpoint, secret=secret)
    _check_secret(endpoint)
    if asymmetric is not None and asymmetric is not bool(endpoint.signing_key):
        endpoint.signing_key = signing.ed25519_new()[0] if asymmetric else ""
        changed.append("signing_key")
    if "url" in changed:
        breaker.reset(endpoint.breaker_key)
        _set(endpoint, HEALED)
        changed += HEALED
    if changed:
        endpoint.save(update_fields=changed)
        _tell("endpoint.updated", endpoint, changed=sorted(set(changed) - set(HEALED)))
        jobs.nudge("webhooks.deliver")
    return endpoint


@transaction.atomic
def pause(endpoint: Endpoint, *, reason: str = "") -> bool:
    """Hold its deliveries back until it is resumed. False if it was not active."""
    if not transitions.move(endpoint, to=EndpointStatus.PAUSED, status_reason=reason[:300]):
        return False
    _tell("endpoint.paused", endpoint, reason=reason)
    return True


@transaction.atomic
def resume(endpoint: Endpoint) -> bool:
    """Send what waited, and all that comes. False if it was not paused."""
    endpoint.refresh_from_db(fields=["status"])
    if endpoint.status != EndpointStatus.PAUSED or not transitions.move(endpoint, to=EndpointStatus.ACTIVE, status_reason=""):
        return False
    _tell("endpoint.resumed", endpoint)
    jobs.nudge("webhooks.deliver")
    return True


@transaction.atomic
def disable(endpoint: Endpoint, *, reason: str = "", is_automatic: bool = False) -> bool:
    """Give it nothing more: what is open waits, what comes is noted as skipped. False if it was disabled already.

    `is_automatic`: nobody asked for it (410, days of failure), so people are told.
    """
    if not transitions.move(endpoint, to=EndpointStatus.DISABLED, status_reason=reason[:300], disabled_at=clock.now()):
        return False
    _tell("endpoint.disabled", endpoint, reason=reason)
    if is_automatic:
        notifications.notify(
            f"The endpoint {endpoint.title} was disabled",
            message=f"{endpoint.shown_url}: {reason} Mend the receiver, then enable the endpoint: what it missed is sent then.",
            urgency="high",
            link=f"/endpoints/{endpoint.uid}",
            subject=audit.subject_of(endpoint),
        )
    return True


@transaction.atomic
def enable(endpoint: Endpoint, *, catch_up: bool = True) -> bool:
    """Put it back to use. With `catch_up`, what was open and what was skipped meanwhile is sent; without, it is given up.

    False if it was not disabled.
    """
    endpoint.refresh_from_db(fields=["status", "disabled_at"])
    if endpoint.status != EndpointStatus.DISABLED:
        return False
    since = endpoint.disabled_at
    if not transitions.move(endpoint, to=EndpointStatus.ACTIVE, status_reason="", disabled_at=None, **HEALED):
        return False
    breaker.reset(endpoint.breaker_key)
    count = fanout.catch_up(endpoint, since=since) if catch_up else -deliveries.cancel_open(endpoint)
    _tell("endpoint.enabled", endpoint, caught_up=max(count, 0), given_up=max(-count, 0))
    jobs.nudge("webhooks.deliver")
    return True


@transaction.atomic
def rotate_secret(endpoint: Endpoint, *, secret: str = "", overlap_hours: float | None = None) -> str:
    """Give it a new secret (made here when empty), which is returned; the old one signs beside it for `overlap_hours` more.

    `overlap_hours` defaults to WEBHOOK_ROTATION_HOURS. Raises InvalidInput when the secret cannot be used.
    """
    now = clock.now()
    fresh = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    new = secret or _new_secret(endpoint.security) or signing.new_secret(options.get("WEBHOOK_SECRET_LENGTH"))
    if problem := registration.secret_problem(new, security=endpoint.security):
        raise InvalidInput(problem, fields={"secret": [problem]})
    hours = options.get("WEBHOOK_ROTATION_HOURS") if overlap_hours is None else overlap_hours
    until = now + timedelta(hours=max(float(hours), 0.0))
    kept = [(old, end) for old, end in _old_secrets(fresh) if old != new and end > now]
    if fresh.secret and fresh.secret != new and until > now:
        kept.insert(0, (fresh.secret, until))
    stored = [[old, clock.text(end)] for old, end in kept[:KEPT_SECRETS]]
    _set(endpoint, {"secret": new, "old_secrets": stored, "secret_changed_at": now})
    endpoint.save(update_fields=["secret", "old_secrets", "secret_changed_at"])
    _tell("endpoint.secret_rotated", endpoint, old_signs_until=clock.text(until))
    return new


@transaction.atomic
def delete(endpoint: Endpoint) -> bool:
    """Forget it: open deliveries and replays are cancelled, its secrets are erased, its id is free again. False if it was deleted already.

    Its history stays until its retention ends.
    """
    now = clock.now()
    if not Endpoint.objects.filter(pk=endpoint.pk, deleted_at__isnull=True).update(deleted_at=now):
        return False
    Replay.objects.filter(endpoint=endpoint, status__in=(ReplayStatus.RUNNING, ReplayStatus.PAUSED)).update(
        status=ReplayStatus.CANCELLED, finished_at=now
    )
    cancelled = deliveries.cancel_open(endpoint)
    _set(endpoint, {"deleted_at": now, "secret": "", "old_secrets": None, "signing_key": "", "headers": None})
    endpoint.save(update_fields=["secret", "old_secrets", "signing_key", "headers"])
    breaker.reset(endpoint.breaker_key)
    _tell("endpoint.deleted", endpoint, cancelled=cancelled)
    return True


@transaction.atomic
def send_test(endpoint: Endpoint, *, type: str = "system.status", data: Any = None) -> Delivery:
    """One event for this endpoint alone, whatever it subscribed to; nobody else hears of it.

    Without `data` it is `{"test": true}` for `system.status`, else the example of the type. Raises InvalidInput when the data do not
    fit the type, and Conflict when the endpoint is disabled.
    """
    endpoint.refresh_from_db(fields=["status"])
    if endpoint.status == EndpointStatus.DISABLED:
        raise Conflict("The endpoint is disabled. Enable it before you send a test.")
    event = events.publish(type, data=fanout.test_data(type) if data is None else data, subject=endpoint)
    Event.objects.filter(pk=event.pk).update(routed_at=clock.now(), route_note=f"{events.FOR_ONE}{endpoint.uid}")
    delivery = Delivery.objects.create(event=event, endpoint=endpoint, correlation_id=event.correlation_id)
    jobs.nudge("webhooks.deliver")
    return delivery


def credentials(endpoint: Endpoint, *, now: datetime) -> Credentials:
    """What its deliveries are signed with at `now`: the secret, old ones within their overlap, its own headers."""
    old = tuple(secret for secret, until in _old_secrets(endpoint) if until > now)
    headers: Any = endpoint.headers or {}
    return Credentials(endpoint.security, endpoint.secret, old, endpoint.signing_key, headers)


def retry_policy(endpoint: Endpoint) -> Policy:
    """Its policy, live options filled in where it names nothing. A schedule without a number of attempts has one for each entry."""
    attempts = endpoint.max_attempts
    if attempts is None and endpoint.retry_strategy == Strategy.SCHEDULE and endpoint.retry_schedule:
        attempts = len(endpoint.retry_schedule)
    base = endpoint.retry_base_seconds
    return Policy(
        strategy=str(endpoint.retry_strategy),
        base_seconds=options.get("WEBHOOK_DEFAULT_RETRY_DELAY") if base is None else base,
        max_attempts=options.get("WEBHOOK_DEFAULT_RETRIES") + 1 if attempts is None else attempts,
        max_delay_seconds=endpoint.retry_max_delay_seconds,
        jitter=endpoint.retry_jitter,
        schedule=tuple(endpoint.retry_schedule or ()),
    )


def timeout_seconds(endpoint: Endpoint) -> int:
    """Total seconds of one request: its own or the option's, never more than WEBHOOK_MAX_TIMEOUT."""
    return int(min(endpoint.timeout_seconds or options.get("WEBHOOK_DEFAULT_TIMEOUT"), options.get("WEBHOOK_MAX_TIMEOUT")))


def circuit_state(endpoint: Endpoint) -> str:
    """`closed`, `open` or `half_open`. Independent of whether it is active."""
    return breaker.state(endpoint.breaker_key)


def public_key(endpoint: Endpoint) -> str:
    """The `whpk_` key of its ed25519 signatures; empty where it asked for none."""
    return signing.ed25519_public(endpoint.signing_key) if endpoint.signing_key else ""


def is_rotation_due(endpoint: Endpoint, *, now: datetime) -> bool:
    """Whether its secret is older than WEBHOOK_ROTATE_REMINDER_DAYS."""
    days = options.get("WEBHOOK_ROTATE_REMINDER_DAYS")
    return bool(days and endpoint.secret and (endpoint.secret_changed_at or endpoint.created_at) < now - timedelta(days=days))


def stats() -> dict[str, Any]:
    """Numbers over all deliveries that are kept (S0-87)."""
    return numbers.totals()


def _take(endpoint: Endpoint, given: Mapping[str, Any]) -> None:
    """Set the fields once all of them are found good, together with those that stay."""
    if unknown := sorted(set(given) - {"url", "events", *DEFAULTS}):
        raise InvalidInput(f"An endpoint has no field {unknown[0]!r}.", fields={name: ["There is no such field."] for name in unknown})
    if "url" in given:
        addresses.check_url(given["url"])
    whole = {name: given.get(name, getattr(endpoint, name)) for name in ("events", *DEFAULTS)}
    found = registration.problems(whole, _bounds())
    if found:
        name, sentences = next(iter(found.items()))
        raise InvalidInput(f"{name}: {sentences[0]}", fields=found)
    _set(endpoint, given)


def _bounds() -> Bounds:
    # Its events may be asked for before GitHub has sent the first one.
    sources.ensure_github()
    return Bounds(
        longest_timeout=options.get("WEBHOOK_MAX_TIMEOUT"),
        requires_auth=options.get("REQUIRE_WEBHOOK_AUTH"),
        event_types=set(EventType.objects.values_list("name", flat=True)),
        sources=set(Source.living.values_list("slug", flat=True)),
    )


def _with_strategy(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule that is given alone is meant to be followed."""
    if fields.get("retry_schedule") and "retry_strategy" not in fields:
        return {**fields, "retry_strategy": Strategy.SCHEDULE}
    return dict(fields)


def _check_uid(uid: str) -> None:
    if problem := registration.uid_problem(uid):
        raise InvalidInput(problem, fields={"id": [problem]})


def _check_secret(endpoint: Endpoint) -> None:
    if endpoint.security == Security.NONE:
        return
    if problem := registration.secret_problem(endpoint.secret, security=endpoint.security):
        raise InvalidInput(problem, fields={"secret": [problem]})


def _new_secret(security: str) -> str:
    return "" if security == Security.NONE else signing.new_secret(options.get("WEBHOOK_SECRET_LENGTH"))


def _old_secrets(endpoint: Endpoint) -> list[tuple[str, datetime]]:
    stored: Any = endpoint.old_secrets or []
    return [(secret, datetime.fromisoformat(until)) for secret, until in stored]


def _set(endpoint: Endpoint, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(endpoint, name, value)


def _tell(action: str, endpoint: Endpoint, **detail: Any) -> None:
    url = redact.url(endpoint.url)
    audit.record(action, endpoint, url=url, **detail)
    events.publish(action, subject=endpoint, data={"endpoint_id": endpoint.uid, "url": url, **detail})
