"""Rules fire while everything is killed in turn: what fired is run to its end, nothing marked `once` twice, and the books agree."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.chaos import blows
from tests.chaos.blows import Strike
from tests.chaos.publishing import Publisher
from tests.chaos.scenario import Findings
from tests.support import ruled
from tests.support.stack import Stack, until

STANDS = ("sqlite", "servers")
# Events, and how often each thing is struck; `up` is the only thing there is on SQLite, so it is struck more often.
SIZES = {"small": (150, 1), "full": (3000, 3)}
TIMES_UP = {"small": 2, "full": 12}
END_SECONDS = {"small": 120, "full": 300}
BATCH = 10
PACE_SECONDS = 2
TYPE, KINDS = "system.status", 5
# The option ACTION_MAX_CONCURRENT: what is being run at most, and so what a blow can leave unknown.
MOST_RUNNING = 10
# What one router had in hand when it was killed is heard again.
MOST_HEARD_AGAIN = 100


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Publish, strike, wait until a fresh event is judged and acted on; and so on. In the end the rows and the file must agree."""
    size, times = SIZES[scale]
    strikes = blows.of(house)
    order = [(name, strike) for name, strike in strikes.items() for _ in range(times if len(strikes) > 1 else TIMES_UP[scale])]
    rng.shuffle(order)
    prefix = f"aut-{rng.randrange(16**6):06x}"
    markers = [f"{prefix}-{number:05d}" for number in range(size)]
    book = _Book(house, prefix, scale)
    for number, (name, strike) in enumerate(order):
        book.round(name, strike, markers[number :: len(order)], rng)
    book.close()
    return book.findings


class _Book:
    """The rules of a run, what was published, and what came of it."""

    def __init__(self, house: Stack, prefix: str, scale: str) -> None:
        self.house, self.prefix, self.scale = house, prefix, scale
        self.findings, self.publisher = Findings(), Statuses(house)
        self.file = Path(house.folder) / f"{prefix}.log"
        self.file.touch()
        self.rules = dict(zip(("every", "once", "again", "pace"), ruled.make(house, *self._rules()), strict=True))

    def round(self, name: str, strike: Strike, markers: list[str], rng: random.Random) -> None:
        """Strike once in the middle of publishing these, and wait until all is normal."""
        pause, probe = rng.uniform(0.05, 1.0), f"{self.prefix}-probe-{len(self.findings.blows)}"
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(self.publisher.send, markers)
            time.sleep(pause)
            strike(self.house)
            started = time.monotonic()
            self.publisher.send([probe])
            until(lambda: self._is_done(probe), seconds=4 * blows.NORMAL_SECONDS, what=f"the execution for {probe} after `{name}`")
            publishing.result()
        seconds = round(time.monotonic() - started, 2)
        self.findings.blows.append({"blow": name, "acted_seconds": seconds})
        most = blows.NORMAL_SECONDS * blows.PATIENCE[self.scale]
        self.findings.expect(seconds <= most, f"after `{name}` it took {seconds} s until a rule acted again")

    def close(self) -> None:
        """Wait for the last execution, take the rules away, then compare."""
        started = time.monotonic()
        try:
            until(lambda: self._fired("every") >= len(self.publisher.accepted), seconds=END_SECONDS[self.scale], what="the last firing")
            ruled.run(self.house, f"from automation.services import rules\nrules.set_mode(rules.find({self.rules['pace']!r}), 'off')")
            until(lambda: not self._open(), seconds=END_SECONDS[self.scale], what="the end of every execution")
            until(lambda: not self._held_slots(), seconds=60, what="every slot being given back")
        except AssertionError as late:
            self.findings.problems.append(str(late))
        kinds = Counter(kind for kind in self.publisher.accepted.values())
        self.findings.counts = {
            "published": len(self.publisher.accepted),
            "refused_and_sent_again": dict(self.publisher.refused),
            "executions": {name: self._statuses(name) for name in self.rules},
            "open": self._open(),
            "slots_held": self._held_slots(),
            "seconds_after_last_blow": round(time.monotonic() - started, 2),
        }
        self._compare_events({"every": len(self.publisher.accepted), "once": kinds["1"], "again": kinds["2"]})
        self._compare_effects()
        self._compare_pace()
        for uid in self.rules.values():
            ruled.run(self.house, f"from automation.services import rules\nrules.delete(rules.find({uid!r}))")

    def _compare_events(self, wanted: dict[str, int]) -> None:
        """Each event that a rule was to fire for made one execution, each execution one call, each judgement is in a verdict."""
        expect, heard = self.findings.expect, len(self.publisher.accepted)
        for name, count in wanted.items():
            fired, called = self._fired(name), self._calls(name)
            expect(fired == count, f"{name}: {count} events were to fire it, {fired} executions did")
            expect(called == count, f"{name}: {count} executions, {called} calls")
            verdicts = self._verdicts(name)
            expect(verdicts["fired"] == count, f"{name}: {count} executions, but its verdicts count {verdicts['fired']}")
            total, again = sum(verdicts.values()), MOST_HEARD_AGAIN * len(self.findings.blows)
            expect(heard <= total <= heard + again, f"{name}: {heard} events, but its verdicts count {total}: {dict(verdicts)}")
        for name in ("every", "again"):
            statuses = self._statuses(name)
            expect(set(statuses) <= {"completed"}, f"{name}: what may be repeated was not all completed: {statuses}")

    def _compare_effects(self) -> None:
        """The file, which none of our rows stand for: what must not be repeated began once at most; what is completed has ended."""
        begun: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for line in self.file.read_text().splitlines():
            sign, uid, *_ = line.split()
            (begun if sign == "+" else ended)[uid] += 1
        once, again = self._uids("once"), self._uids("again")
        twice = [uid for uid in once if begun[uid] > 1]
        missing = [uid for uid, status in {**once, **again}.items() if status == "completed" and not ended[uid]]
        unknown = sum(1 for status in once.values() if status != "completed")
        self.findings.counts |= {"once_begun": sum(begun[uid] for uid in once), "again_begun": sum(begun[uid] for uid in again)}
        self.findings.counts["outcome_unknown"] = unknown
        self.findings.expect(not twice, f"marked once and begun twice: {twice[:5]}")
        self.findings.expect(not missing, f"completed, but the file does not say so: {missing[:5]}")
        most = MOST_RUNNING * len(self.findings.blows)
        self.findings.expect(unknown <= most, f"{unknown} outcomes are unknown, at most {most} could have been at work")

    def _compare_pace(self) -> None:
        """The schedule's times: each once, none left out."""
        slots = sorted(ruled.slot(one) for one in ruled.executions(self.house, self.rules["pace"]))
        apart = Counter((later - earlier) / timedelta(seconds=1) for earlier, later in pairwise(slots))
        self.findings.counts["schedule_times"] = len(slots)
        self.findings.expect(set(apart) == {float(PACE_SECONDS)}, f"the schedule's times are not {PACE_SECONDS} s apart: {dict(apart)}")

    def _rules(self) -> list[dict[str, Any]]:
        own = {"concurrency": "parallel", "max_parallel": 1000}
        listening = {"trigger": "automation.event", "trigger_params": {"events": [TYPE]}, **own}
        noop, slow = {"action": "acting.noop", "params": {}}, {"seconds": 0.1, "file": str(self.file)}
        pace = {"trigger": "automation.schedule", "trigger_params": {"every_seconds": PACE_SECONDS, "catch_up": "all"}, **own}
        return [
            {**listening, "name": f"{self.prefix} every", "condition": f"data.details.run == '{self.prefix}'", "actions": [noop]},
            *(
                {
                    **listening,
                    "name": f"{self.prefix} {name}",
                    "condition": f"data.details.run == '{self.prefix}' AND data.component == '{kind}'",
                    "actions": [{"action": action, "params": slow}],
                }
                for name, kind, action in (("once", "1", "acting.sleep"), ("again", "2", "acting.sleep_again"))
            ),
            {**pace, "name": f"{self.prefix} pace", "actions": [noop]},
        ]

    # --- what the rows say ------------------------------------------------------------------------

    def _of(self, name: str) -> str:
        return f"SELECT id FROM automation_rule WHERE uid = '{self.rules[name]}'"

    def _fired(self, name: str) -> int:
        return int(
            self.house.rows(f"SELECT COUNT(*) FROM automation_execution WHERE key IS NOT NULL AND rule_id IN ({self._of(name)})")[0][0]
        )

    def _statuses(self, name: str) -> dict[str, int]:
        statement = f"SELECT status, COUNT(*) FROM automation_execution WHERE rule_id IN ({self._of(name)}) GROUP BY status"
        return {str(status): int(count) for status, count in self.house.rows(statement)}

    def _verdicts(self, name: str) -> Counter[str]:
        statement = f"SELECT result, SUM(count) FROM automation_verdict WHERE rule_id IN ({self._of(name)}) GROUP BY result"
        return Counter({str(result): int(count) for result, count in self.house.rows(statement)})

    def _uids(self, name: str) -> dict[str, str]:
        """Call → status of each call that the rule's executions made."""
        statement = (
            "SELECT i.uid, i.status FROM acts_invocation i JOIN automation_execution e ON i.caller = 'execution:' || e.uid"
            f" WHERE e.rule_id IN ({self._of(name)})"
        )
        return {str(uid): str(status) for uid, status in self.house.rows(statement)}

    def _calls(self, name: str) -> int:
        return len(self._uids(name))

    def _open(self) -> int:
        names = ", ".join(f"({self._of(name)})" for name in self.rules)
        statement = f"SELECT COUNT(*) FROM automation_execution WHERE status IN ('pending', 'running') AND rule_id IN ({names})"
        return int(self.house.rows(statement)[0][0])

    def _held_slots(self) -> int:
        """A killed worker's slot is free again when its lease has run out."""
        return int(self.house.rows("SELECT COUNT(*) FROM acts_slot WHERE until > %s", datetime.now(UTC).isoformat(sep=" "))[0][0])

    def _is_done(self, marker: str) -> bool:
        statement = (
            "SELECT 1 FROM automation_execution x JOIN kernel_event e ON e.id = x.event_id"
            f" WHERE e.uid = %s AND x.status = 'completed' AND x.rule_id IN ({self._of('every')})"
        )
        return bool(self.house.rows(statement, marker))


class Statuses(Publisher):
    """Publishes the status of components; which component says which rules are to fire."""

    def send(self, markers: list[str]) -> None:
        """An event for each marker, a few a call."""
        for start in range(0, len(markers), BATCH):
            parcel = markers[start : start + BATCH]
            found = [self._status(marker) for marker in parcel]
            answer = self._insist(lambda found=found: self.house.call("/api/v1/events/batch", {"events": found}))  # type: ignore[misc]
            assert [one["id"] for one in answer.json()["results"]] == parcel
            self.accepted.update({marker: _kind(marker) for marker in parcel})

    def _status(self, marker: str) -> dict[str, object]:
        run = "-".join(marker.split("-")[:2])
        data = {"status": "degraded", "component": _kind(marker), "details": {"run": run}}
        return {"type": TYPE, "id": marker, "data": data}


def _kind(marker: str) -> str:
    number = marker.rpartition("-")[2]
    return "0" if "probe" in marker else str(int(number) % KINDS)
