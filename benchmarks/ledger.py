"""The ledger: every event that was taken is delivered, dead or still on its way, and was received. Used by scenarios."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.house import House

DELIVERIES = """
SELECT d.status, COUNT(*) FROM webhooks_delivery d JOIN kernel_event e ON e.id = d.event_id WHERE e.uid LIKE %s GROUP BY d.status
"""
WAITING = frozenset({"pending", "sending", "retrying"})


@dataclass(frozen=True)
class Ledger:
    """What was counted, and the sentences against it."""

    counts: Mapping[str, int]
    problems: list[str]


def of_events(house: House, prefix: str, *, taken: int, unanswered: int = 0, fan_out: int = 1, received: set[str] | None = None) -> Ledger:
    """Events whose id begins with `prefix`: published = delivered + dead + pending, times `fan_out`.

    `taken`: how many the senders were told are stored; `received`: the ids that came at the receiver.
    """
    published = int(house.number("SELECT COUNT(*) FROM kernel_event WHERE uid LIKE %s", f"{prefix}%"))
    by_status: dict[str, int] = dict(house.rows.execute(DELIVERIES, (f"{prefix}%",)).fetchall())
    delivered, dead = by_status.get("delivered", 0), by_status.get("dead", 0)
    pending = sum(by_status.get(status, 0) for status in WAITING)
    problems = []
    if not taken <= published <= taken + unanswered:
        problems.append(f"{taken} events were answered as taken and {unanswered} not answered, but {published} are stored.")
    if published * fan_out != delivered + dead + pending:
        problems.append(f"{published} published x {fan_out} endpoints, but {delivered} delivered + {dead} dead + {pending} pending.")
    if received is not None and len(received) < delivered // max(fan_out, 1):
        problems.append(f"{delivered} are recorded as delivered, but the receiver saw {len(received)}.")
    counts = {"published": published, "delivered": delivered, "dead": dead, "pending": pending}
    return Ledger(counts | ({"received": len(received)} if received is not None else {}), problems)


def of_receipts(house: House, prefix: str, statuses: Mapping[str, int], *, unanswered: int) -> Ledger:
    """Inbound requests: one receipt and one event for each 202, a duplicate's receipt for each 200, nothing twice."""
    found: dict[str, int] = dict(
        house.rows.execute(
            "SELECT status, COUNT(*) FROM webhooks_receipt WHERE delivery_id LIKE %s GROUP BY status", (f"{prefix}%",)
        ).fetchall()
    )
    distinct = "SELECT COUNT(DISTINCT event_id) FROM webhooks_receipt WHERE delivery_id LIKE %s"
    accepted, repeats = found.get("accepted", 0) + found.get("ignored", 0), found.get("duplicate", 0)
    stored = int(house.number(distinct, f"{prefix}%"))
    told, told_again = statuses.get("202", 0), statuses.get("200", 0)
    problems = []
    if not told <= accepted <= told + unanswered:
        problems.append(f"{told} requests were answered 202, but {accepted} receipts are accepted.")
    if stored != accepted:
        problems.append(f"{accepted} receipts were accepted, but there are {stored} events.")
    if not told_again <= repeats <= told_again + unanswered:
        problems.append(f"{told_again} requests were answered as duplicates, but {repeats} are recorded.")
    return Ledger({"answered 202": told, "accepted": accepted, "events": stored, "duplicates": repeats}, problems)


def more(first: Ledger, second: Ledger) -> Ledger:
    """Both together."""
    names = [*first.counts, *(name for name in second.counts if name not in first.counts)]
    return Ledger({name: first.counts.get(name, 0) + second.counts.get(name, 0) for name in names}, [*first.problems, *second.problems])


def spent(house: House, meter: Any, items: int) -> dict[str, Any]:
    """Notes: processor milliseconds per item by process, how much of the machine others used meanwhile, and how many items a second
    would fit into all its cores at that cost: what a disturbed run says of an undisturbed one."""
    seconds, others = meter.read()
    each = {name: round(1000 * amount / max(items, 1), 3) for name, amount in seconds.items() if amount}
    most = (os.cpu_count() or 1) * items / total if (total := sum(seconds.values())) else 0.0
    return {"cpu_ms_per_item": each, "used_by_others": round(others, 3), "per_second_if_alone": round(most)}
