"""May this rule act now: the strictest wins."""

from datetime import UTC, datetime, timedelta

import pytest

from automation.engine.discipline import Discipline, Standing, decide

pytestmark = pytest.mark.pure
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def rule(**changes: object) -> Discipline:
    return Discipline(**{"mode": "on", "cooldown_seconds": 0, "max_per_hour": None, "concurrency": "single", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("discipline", "standing", "expected"),
    [
        (rule(), Standing(), ("fired", "met")),
        (rule(mode="shadow"), Standing(), ("shadow", "met")),
        (rule(), Standing(is_running=False), ("held", "stopped")),
        (rule(mode="shadow"), Standing(is_running=False), ("held", "stopped")),
        (rule(), Standing(level="manual"), ("held", "level")),
        (rule(), Standing(level="assisted"), ("fired", "met")),
        (rule(), Standing(owner_lacks="The owner may not."), ("refused", "owner")),
        (rule(), Standing(is_running=False, owner_lacks="The owner may not."), ("held", "stopped")),
        (rule(cooldown_seconds=600), Standing(fired_at=NOW - timedelta(seconds=599)), ("held", "cooldown")),
        (rule(cooldown_seconds=600), Standing(fired_at=NOW - timedelta(seconds=600)), ("fired", "met")),
        (rule(max_per_hour=3), Standing(fired_this_hour=2), ("fired", "met")),
        (rule(max_per_hour=3), Standing(fired_this_hour=3), ("held", "max_per_hour")),
        (rule(max_per_hour=0), Standing(), ("held", "max_per_hour")),
        (rule(), Standing(open_count=1), ("held", "concurrency")),
        (rule(concurrency="queue"), Standing(open_count=1), ("fired", "met")),
        (rule(concurrency="parallel"), Standing(open_count=9), ("fired", "met")),
        (rule(concurrency="restart"), Standing(open_count=1), ("fired", "met")),
    ],
)
def test_what_becomes_of_a_waking(discipline, standing, expected):
    decided = decide(discipline, standing, NOW)
    assert (decided.result, decided.reason) == expected


def test_a_cooldown_says_how_long_it_lasts():
    decided = decide(rule(cooldown_seconds=600), Standing(fired_at=NOW - timedelta(seconds=590)), NOW)
    assert decided.text == "It fired less than 600 s ago and rests for 10 s more."
