"""Real processes measure by themselves, as often as the option says, also when that changes while they run."""

from datetime import datetime
from itertools import pairwise

import psutil
import pytest

from tests.support import stack
from tests.support.stack import until


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with stack.installation(tmp_path_factory.mktemp("house"), AUTOMATION_CHECK_INTERVAL="5") as found:
        yield found


def moments(house):
    return [datetime.fromisoformat(str(at)).timestamp() for (at,) in house.rows("SELECT at FROM kernel_snapshot ORDER BY at")]


def apart(house, seconds, *, since=0.0):
    """The first three ticks in a row that are so far apart, all after `since`."""
    found = [at for at in moments(house) if at > since]
    threes = zip(found, found[1:], found[2:], strict=False)
    return next((three for three in threes if {b - a for a, b in pairwise(three)} == {seconds}), None)


def interval_in_the_schedule(house):
    joined = "django_celery_beat_periodictask t JOIN django_celery_beat_intervalschedule i ON i.id = t.interval_id"
    return house.rows(f"SELECT i.every FROM {joined} WHERE t.name = %s", "sample")


def measured(house):
    return house.call("/api/v1/system/metrics").json()


def test_samples_come_by_themselves_at_the_interval_and_follow_it_when_it_changes(house):
    """Nobody looks at a page meanwhile. 5 s of the environment, then 2 s by the command, without a restart."""
    three = until(lambda: apart(house, 5), seconds=60, what="three samples five seconds apart")
    assert all(at % 5 == 0 for at in three)
    house.manage("options", "set", "AUTOMATION_CHECK_INTERVAL", "2")
    assert until(lambda: apart(house, 2, since=three[-1]), seconds=60, what="three samples two seconds apart")
    assert interval_in_the_schedule(house) == [(2,)]


def test_the_api_says_what_was_measured_of_the_running_installation(house):
    until(lambda: measured(house)["cpu_usage"] is not None, what="a sample")
    found = measured(house)
    assert found["age_seconds"] < 30
    assert found["memory_usage"] == pytest.approx(psutil.virtual_memory().percent, abs=10)
    assert found["metrics"]["process_memory"]["value"] > sum(house.memory().values()) / 2
    until(lambda: measured(house)["active_users"] == 1, what="the caller being seen")
    until(lambda: (measured(house)["rates"]["requests_per_second"] or 0) > 0, what="our calls being counted")
