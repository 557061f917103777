"""Sequences and absences: the newest beginning counts, late and repeated events, against a search through all of it."""

from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.triggers.absence import NothingCame
from automation.triggers.sequence import InOrder
from config.acts.plugins.triggers import Seen

BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def fired(names, within, arrivals):
    """The numbers of the arrivals (type, second) at which it fired."""
    trigger, params, state, found = InOrder(), {"events": names, "within_seconds": within}, {}, []
    for number, (name, second) in enumerate(arrivals):
        waking = trigger.hear(params, state, Seen(f"evt_{number}", name, BEGIN + timedelta(seconds=second), {}))
        state = dict(waking.state)
        if waking.slots:
            found.append(number)
    return found


def searched(names, within, arrivals):
    """The same by trying every choice of events since the last time it fired."""
    found, begin = [], 0
    for number in range(len(arrivals)):
        for chosen in combinations(range(begin, number), len(names) - 1):
            way = [arrivals[one] for one in (*chosen, number)]
            in_order = all(earlier[1] <= later[1] for earlier, later in pairwise(way))
            if [one[0] for one in way] == names and in_order and way[-1][1] - way[0][1] <= within:
                found.append(number)
                begin = number + 1
                break
    return found


@pytest.mark.pure
def test_a_newer_beginning_counts_when_the_first_is_too_old():
    assert fired(["a", "b"], 60, [("a", 0), ("a", 50), ("b", 70)]) == [2]


@pytest.mark.pure
def test_a_newer_beginning_does_not_undo_what_is_still_in_time():
    assert fired(["a", "b", "c"], 60, [("a", 0), ("b", 10), ("a", 20), ("c", 30)]) == [3]


@pytest.mark.pure
def test_what_happened_before_is_no_successor_however_late_it_comes():
    assert fired(["a", "b"], 60, [("a", 10), ("b", 5)]) == []


@pytest.mark.pure
def test_an_older_beginning_that_comes_late_takes_no_newer_ones_place():
    assert fired(["a", "b"], 60, [("a", 50), ("a", 0), ("b", 70)]) == [2]


@pytest.mark.pure
def test_an_event_heard_again_counts_once():
    trigger, params = InOrder(), {"events": ["a", "a"], "within_seconds": 60}
    first, second = (Seen(uid, "a", BEGIN + timedelta(seconds=at), {}) for uid, at in (("evt_1", 0), ("evt_2", 1)))
    state = trigger.hear(params, {}, first).state
    assert not trigger.hear(params, state, first).slots
    done = trigger.hear(params, state, second)
    assert done.facts == {"sequence": ["evt_1", "evt_2"]}
    # All of it once more, as after a router that was killed: nothing of it begins another.
    state = trigger.hear(params, done.state, first).state
    assert not trigger.hear(params, state, Seen("evt_3", "a", BEGIN + timedelta(seconds=2), {})).slots


ARRIVALS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([-7, 0, 1, 4, 9])), max_size=14)
NAMES = st.lists(st.sampled_from("abc"), min_size=2, max_size=4)


@pytest.mark.pure
@settings(max_examples=400, deadline=None)
@given(names=NAMES, within=st.sampled_from([3, 10, 20]), steps=ARRIVALS)
def test_it_fires_exactly_where_a_search_finds_one(names, within, steps):
    second, arrivals = 0, []
    for name, step in steps:
        second += step
        arrivals.append((name, second))
    in_order = [(name, max(at for _, at in arrivals[: index + 1])) for index, (name, _) in enumerate(arrivals)]
    assert fired(names, within, in_order) == searched(names, within, in_order)
    # With late ones it may miss some, and never invents one.
    assert len(fired(names, within, arrivals)) <= len(arrivals) // len(names)


@pytest.mark.pure
def test_an_absence_is_over_by_what_is_newer_only():
    trigger, params = NothingCame(), {"events": ["a"], "within_seconds": 60}
    begun = trigger.begin(params, BEGIN)
    late = trigger.hear(params, begun.state, Seen("evt_1", "a", BEGIN - timedelta(seconds=5), {}))
    assert (late.state, late.due_at) == (begun.state, None)
