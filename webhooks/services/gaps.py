"""Finds deliveries that GitHub tried and we never got, and asks for them again. A duty of `tasks`, every five minutes.
GitHub does not retry by itself, but it keeps a hook's deliveries for three days and sends one again when asked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from config.kernel.flow import clock
from config.kernel.flow.errors import StewardError, capture
from config.kernel.watch import audit
from config.kernel.wire import github
from webhooks.enums import ReceiptStatus, SourceStatus
from webhooks.models import Receipt, Source

EVERY = timedelta(minutes=5)
KEPT_BY_GITHUB = timedelta(days=3)
# Younger than this, a delivery may still be on its way to us.
IN_FLIGHT = timedelta(minutes=1)
# Looked at twice: GitHub lists a delivery a little after it was made.
OVERLAP = timedelta(minutes=10)
ASK_AGAIN = timedelta(minutes=30)
MAX_ASKED = 5
MAX_PAGES = 300
# One a second and a half at most, on average: a look ends before the next, and GitHub's limits hold.
MAX_ASKED_AT_ONCE = 200
GOT = (ReceiptStatus.ACCEPTED, ReceiptStatus.IGNORED, ReceiptStatus.DUPLICATE)


@dataclass
class Missing:
    """A delivery we have not got: GitHub's number for it, when it was tried, when we asked last and how often."""

    number: int
    tried_at: datetime
    asked_at: datetime | None = None
    asked: int = 0

    def is_to_be_asked(self, now: datetime) -> bool:
        """Not too often, and not more often than makes sense."""
        return self.asked < MAX_ASKED and (self.asked_at is None or self.asked_at <= now - ASK_AGAIN)


@dataclass
class State:
    """What a source remembers between two looks: up to when all was seen, and what is missing by GUID."""

    seen_until: datetime | None = None
    missing: dict[str, Missing] = field(default_factory=dict)
    redelivered: int = 0


def due_count(now: datetime) -> int:
    """How many sources want looking after. None without a GITHUB_TOKEN."""
    return _due(now).count() if github.is_configured() else 0


def work(now: datetime, limit: int) -> int:
    """Look after up to `limit` sources; how many that were. What GitHub answers wrongly is kept on the source and tried next time."""
    if not github.is_configured():
        return 0
    done = 0
    for source in _due(now)[:limit]:
        if _claim(source, now):
            done += 1
            with capture("webhooks.gaps_failed", source=source.slug):
                _look_after(source, now)
    return done


def _due(now: datetime) -> QuerySet[Source]:
    late = Q(gap_checked_at__isnull=True) | Q(gap_checked_at__lte=now - EVERY)
    living: QuerySet[Source] = Source.living.filter(late, status=SourceStatus.ACTIVE).exclude(github_hook="")
    return living.order_by("id")


def _claim(source: Source, now: datetime) -> bool:
    """Only one process looks after a source at a time; the next turn is five minutes away, whatever happens."""
    unchanged = Source.objects.filter(pk=source.pk, gap_checked_at=source.gap_checked_at)
    return bool(unchanged.update(gap_checked_at=now))


def _look_after(source: Source, now: datetime) -> None:
    state, error = _read(source.gap_state), ""
    try:
        since = _since(source, state, now)
        for batch in _pages(source.github_hook, since, now):
            _note_missing(source, state, batch)
        state.seen_until = now - IN_FLIGHT
        _forget_arrived(source, state, now)
        _ask(source, state, now)
    except StewardError as problem:
        error = problem.message
    Source.objects.filter(pk=source.pk).update(gap_state=_written(state, error, now))


def _since(source: Source, state: State, now: datetime) -> datetime:
    """From where to look: what was seen needs no second look, and what was before the source was never meant for it."""
    earliest = max(now - KEPT_BY_GITHUB, source.created_at)
    return max(earliest, state.seen_until - OVERLAP) if state.seen_until else earliest


def _pages(hook: str, since: datetime, now: datetime) -> Iterator[Sequence[tuple[str, Missing]]]:
    """GitHub's deliveries since then, newest first, a page at a time, without those that may still be on their way."""
    cursor = ""
    for _ in range(MAX_PAGES):
        page = github.list_hook_deliveries(hook, cursor)
        found = [one for raw in page.deliveries if (one := _delivery(raw))]
        yield [(guid, one) for guid, one in found if since <= one.tried_at <= now - IN_FLIGHT]
        cursor = page.next_cursor
        if not cursor or (found and found[-1][1].tried_at < since):
            return


def _delivery(raw: Any) -> tuple[str, Missing] | None:
    try:
        return str(raw["guid"]), Missing(int(raw["id"]), datetime.fromisoformat(raw["delivered_at"]))
    except (KeyError, TypeError, ValueError):
        return None


def _note_missing(source: Source, state: State, batch: Sequence[tuple[str, Missing]]) -> None:
    got = _got(source, [guid for guid, _ in batch])
    for guid, one in batch:
        if guid not in got:
            state.missing.setdefault(guid, one)


def _forget_arrived(source: Source, state: State, now: datetime) -> None:
    got = _got(source, state.missing)
    for guid, one in list(state.missing.items()):
        if guid in got or one.tried_at < now - KEPT_BY_GITHUB:
            del state.missing[guid]


def _got(source: Source, guids: Iterable[str]) -> set[str]:
    """Those of the GUIDs that came from this hook and were taken."""
    hook_ids = ("", source.github_hook.rpartition("/")[2])
    rows = Receipt.objects.filter(source=source, delivery_id__in=list(guids), hook_id__in=hook_ids, status__in=GOT)
    return set(rows.values_list("delivery_id", flat=True))


def _ask(source: Source, state: State, now: datetime) -> None:
    """Oldest first, so that what happened first comes first; what is too much for one look waits for the next."""
    wanted = [(guid, one) for guid, one in state.missing.items() if one.is_to_be_asked(now)]
    for guid, one in sorted(wanted, key=lambda item: item[1].tried_at)[:MAX_ASKED_AT_ONCE]:
        is_coming = github.redeliver(source.github_hook, one.number)
        one.asked, one.asked_at = (one.asked + 1 if is_coming else MAX_ASKED), now
        if is_coming:
            state.redelivered += 1
            audit.record("source.redelivery_requested", source, delivery_id=guid, attempt=one.asked)


def _read(kept: Any) -> State:
    """The state out of its JSON."""
    missing = {
        guid: Missing(one["id"], datetime.fromisoformat(one["tried_at"]), _moment(one["asked_at"]), one["asked"])
        for guid, one in kept.get("missing", {}).items()
    }
    return State(_moment(kept.get("seen_until")), missing, kept.get("redelivered", 0))


def _written(state: State, error: str, now: datetime) -> dict[str, Any]:
    """The state as JSON. `error`: what GitHub said last time, empty when all went well."""
    missing = {
        guid: {"id": one.number, "tried_at": clock.text(one.tried_at), "asked_at": _text(one.asked_at), "asked": one.asked}
        for guid, one in state.missing.items()
    }
    return {
        "seen_until": _text(state.seen_until),
        "missing": missing,
        "redelivered": state.redelivered,
        "error": error,
        "checked_at": clock.text(now),
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime | None) -> str | None:
    return clock.text(moment) if moment else None
