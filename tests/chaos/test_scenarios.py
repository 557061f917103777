"""Every scenario of chaos on the present stand: small in every run, full when asked for."""

import pytest

from tests.chaos import scenario
from tests.support import environment

SEED = 20260
STAND = environment.name()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with scenario.installed(STAND, tmp_path_factory.mktemp("chaos")) as found:
        yield found


@pytest.mark.parametrize("name", [name for name in scenario.NAMES if STAND in scenario.stands(name)])
def test_nothing_is_lost_whatever_is_struck(house, name, scale):
    try:
        report = scenario.run(name, house, scale=scale, seed=SEED)
        assert report.findings.problems == [], report.text()
    except AssertionError:
        print(house.logs())  # noqa: T201 - the only trace of what the processes said
        raise
