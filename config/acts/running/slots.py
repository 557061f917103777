"""Room for so many running things of a kind over all processes: leased rows, so that a killed holder leaks none.
Pool `actions` is used by the executor, pool `executions` by rules; a page shows who holds what."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from config.acts.models import Slot, tables
from config.kernel.flow import clock, leases

# A killed holder's slot is free again after this; whoever lives renews in time, or stops its work.
LEASE_SECONDS = 15.0


@transaction.atomic
def take(
    pool: str, limit: int, count: int, *, held_for: str | Sequence[str] = "", seconds: float = LEASE_SECONDS, holder: str = ""
) -> list[Slot]:
    """Up to `count` slots, never so many that more than `limit` are held in all; `held_for` is one name, or one for each.

    The limit may change from call to call: when it fell, nobody gets one until enough were given back.
    """
    there = _locked(pool, limit)
    now, token = clock.now(), secrets.token_hex(16)
    held = sum(1 for slot in there if slot.until is not None and slot.until > now)
    free = [slot for slot in there if (slot.until is None or slot.until <= now) and slot.number < limit]
    found = free[: max(0, min(count, limit - held))]
    if not found:
        return []
    names = [held_for] * len(found) if isinstance(held_for, str) else list(held_for)
    until = now + timedelta(seconds=seconds)
    for slot, name in zip(found, names, strict=False):
        slot.holder, slot.token, slot.held_for, slot.since, slot.until = holder or leases.me(), token, name[:160], now, until
    given, values = tables.table({"id": "bigint", "held_for": "varchar"}, [{"id": slot.pk, "held_for": slot.held_for} for slot in found])
    statement = (
        f"UPDATE acts_slot SET holder = %s, token = %s, since = %s, until = %s, held_for = v.held_for FROM {given} "  # noqa: S608
        "WHERE acts_slot.id = v.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [found[0].holder, token, tables.plain(now), tables.plain(until), *values])
    return found


@transaction.atomic
def renew(slots: Sequence[Slot], *, seconds: float = LEASE_SECONDS) -> list[Slot]:
    """Hold them for `seconds` from now; those that are still ours. Whoever lost one must stop its work at once."""
    if not slots:
        return []
    now = clock.now()
    until = now + timedelta(seconds=seconds)
    ours = _ours(slots).filter(until__gt=now)
    are_all_ours = ours.update(until=until) == len(slots)
    kept = {slot.pk for slot in slots} if are_all_ours else set(ours.values_list("pk", flat=True))
    for slot in slots:
        if slot.pk in kept:
            slot.until = until
    return [slot for slot in slots if slot.pk in kept]


@transaction.atomic
def release(slots: Sequence[Slot]) -> None:
    """Give them back; harmless for those that were lost."""
    if slots:
        _ours(slots).update(holder="", token="", held_for="", since=None, until=None)


def holders(pool: str) -> list[Slot]:
    """The slots that are held now, by number: who holds them, for what, since when."""
    return list(Slot.objects.filter(pool=pool, until__gt=clock.now()).order_by("number"))


def _ours(slots: Sequence[Slot]) -> QuerySet[Slot]:
    """Those that were not lost, locked in the order of `take`: in another, each would wait for the other until PostgreSQL ends one."""
    mine = Slot.objects.select_for_update().filter(pk__in=[slot.pk for slot in slots], token__in={slot.token for slot in slots})
    return Slot.objects.filter(pk__in=list(mine.order_by("pool", "number").values_list("pk", flat=True)))


def _locked(pool: str, limit: int) -> list[Slot]:
    """Every slot of the pool, nobody else's to count or take until the transaction ends; those that are missing are made."""
    rows = list(Slot.objects.select_for_update().filter(pool=pool).order_by("number"))
    if len(rows) < limit:
        missing = set(range(limit)) - {slot.number for slot in rows}
        Slot.objects.bulk_create([Slot(pool=pool, number=number) for number in sorted(missing)], ignore_conflicts=True)
        rows = list(Slot.objects.select_for_update().filter(pool=pool).order_by("number"))
    return rows
