"""How much may start without a person."""

import pytest

from config.acts.running.gate import gate

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("level", "standard", "critical"),
    [
        ("manual", "refuse", "refuse"),
        ("assisted", "ask", "ask"),
        ("intelligent", "run", "ask"),
        ("autonomous", "run", "run"),
    ],
)
def test_the_level_and_the_class_decide(level, standard, critical):
    assert (gate(level, "standard").answer, gate(level, "critical").answer) == (standard, critical)


@pytest.mark.parametrize("level", ["manual", "assisted", "intelligent", "autonomous"])
def test_with_the_master_switch_off_nothing_starts_by_itself(level):
    assert gate(level, "standard", is_running=False).answer == "refuse"


def test_the_manual_level_says_that_it_only_suggests():
    assert "suggestion only" in gate("manual", "standard").reason


def test_an_unknown_level_is_a_mistake_in_the_code():
    with pytest.raises(ValueError, match="no level"):
        gate("reckless", "standard")
