"""Random histories judged by the engine and by a slow model written from the words of the requirement: the same firings."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.engine import rulings
from automation.engine.discipline import Discipline, Standing
from automation.engine.rulings import Armed, Memory
from automation.triggers.event import OnEvent
from automation.triggers.queue import QueueDepth
from automation.triggers.threshold import PastLimit
from config.acts.language import conditions
from config.acts.plugins.triggers import Seen
from config.kernel.language.facts import Fact

pytestmark = pytest.mark.pure
BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
INTERVAL = 30
CPU = {"cpu_usage": Fact("cpu_usage", "number", "%", "")}
HIGH, LOW = conditions.check("cpu_usage > 80", CPU), conditions.check("cpu_usage < 70", CPU)
NOT_REFUSED = conditions.check("data.ok == true", {}, open_paths=("data",))


@dataclass(frozen=True)
class Way:
    """How a rule holds itself back."""

    held: int
    cooldown: int
    repeats: bool
    has_clear: bool


def judged(samples, way):
    """The seconds at which the engine fires; what it remembers goes through its rows' columns, as over a restart."""
    trigger = QueueDepth() if way.repeats else PastLimit()
    armed = Armed(
        1,
        "rul_1",
        "r",
        trigger,
        {},
        (HIGH,),
        Discipline("on", way.cooldown, None, "parallel"),
        clear=LOW if way.has_clear else None,
        for_seconds=way.held,
    )
    memory, fired = Memory(), []
    for second, value in samples:
        at = BEGIN + timedelta(seconds=second)
        found = {} if value is None else {"cpu_usage": value}
        ruling = rulings.on_sample(armed, memory, found, at=at, interval_seconds=INTERVAL, standing=Standing)
        memory = ruling.memory
        if ruling.fires:
            fired.append(second)
    return fired


def modelled(samples, way):
    """The same from the beginning for every sample, by looking back: no state but the firings before."""
    fired: list[int] = []
    for index, (second, value) in enumerate(samples):
        if value is None or value <= 80 or held_until(samples[: index + 1], way.held) < way.held:
            continue
        since = [one for at, one in samples[:index] if fired and at > fired[-1]]
        is_over = not fired or any(one is not None and (one < 70 if way.has_clear else one <= 80) for one in since)
        # A sample that clears and fires at once does not exist: what clears is below the limit.
        if not (is_over or way.repeats or way.cooldown):
            continue
        if fired and way.cooldown and second - fired[-1] < way.cooldown:
            continue
        fired.append(second)
    return fired


def held_until(samples, wanted):
    """How long the last sample's truth has lasted: the spans between neighbours that were both above, gaps left out."""
    total, silence, later = 0.0, max(600, wanted), samples[-1]
    for earlier in reversed(samples[:-1]):
        apart = later[0] - earlier[0]
        if earlier[1] is None:
            # Not known: neither the span before nor the one after counts, but silence is measured between known ones.
            known = next((one for one in reversed(samples[: samples.index(earlier)]) if one[1] is not None), None)
            if known is None or (known[1] <= 80):
                return total
            if _known_after(samples, earlier)[0] - known[0] > silence:
                return total
            later = earlier
            continue
        if earlier[1] <= 80:
            return total
        if later[1] is not None:
            if apart > silence:
                return total
            total += apart if apart <= 2.5 * INTERVAL else 0
        later = earlier
    return total


def _known_after(samples, unknown):
    return next(one for one in samples[samples.index(unknown) :] if one[1] is not None)


STEPS = st.sampled_from([INTERVAL] * 6 + [2 * INTERVAL, 75, 76, 120, 599, 601, 2000])
VALUES = st.sampled_from([90.0] * 6 + [80.0, 75.0, 60.0, None])
HISTORIES = st.lists(st.tuples(STEPS, VALUES), min_size=20, max_size=60)
WAYS = st.builds(Way, st.sampled_from([0, 30, 60, 300, 900]), st.sampled_from([0, 30, 90, 600]), st.booleans(), st.booleans())


def timed(history):
    second, found = 0, []
    for step, value in history:
        second += step
        found.append((second, value))
    return found


@settings(max_examples=400, deadline=None)
@given(history=HISTORIES, way=WAYS)
def test_samples_fire_where_the_words_of_the_requirement_say(history, way):
    samples = timed(history)
    assert judged(samples, way) == modelled(samples, way)


@settings(max_examples=200, deadline=None)
@given(history=HISTORIES, way=WAYS)
def test_what_is_unknown_never_fires_and_two_firings_are_never_closer_than_the_cooldown(history, way):
    samples = timed(history)
    fired, known = judged(samples, way), dict(samples)
    assert all(known[second] is not None and known[second] > 80 for second in fired)
    assert all(later - earlier >= way.cooldown for earlier, later in pairwise(fired))


ARRIVALS = st.lists(st.tuples(st.sampled_from([1, 4, 5, 6, 30, 100]), st.booleans()), min_size=10, max_size=40)


@settings(max_examples=300, deadline=None)
@given(history=ARRIVALS, debounce=st.sampled_from([0, 5, 20]), cooldown=st.sampled_from([0, 10, 60]))
def test_events_fire_after_their_quiet_and_never_within_the_cooldown(history, debounce, cooldown):
    arrivals = timed(history)
    assert heard(arrivals, debounce, cooldown) == expected(arrivals, debounce, cooldown)


def heard(arrivals, debounce, cooldown):
    """The seconds at which the engine fires, each moment that it asks for kept to the second."""
    armed = Armed(1, "rul_1", "r", OnEvent(), {}, (NOT_REFUSED,), Discipline("on", cooldown, None, "parallel"), debounce_seconds=debounce)
    memory, fired, data = Memory(), [], {}

    def enter(ruling, at):
        nonlocal memory
        memory = ruling.memory
        if ruling.fires:
            fired.append(round((at - BEGIN).total_seconds()))

    for number, (second, is_ok) in enumerate([*arrivals, (10**6, None)]):
        now = BEGIN + timedelta(seconds=second)
        if memory.quiet_at is not None and memory.quiet_at <= now:
            at = memory.quiet_at
            enter(rulings.on_quiet(armed, memory, at, {"data": data[memory.quiet_event]}, standing=Standing, now=at), at)
        if is_ok is not None:
            data[str(number)] = {"ok": is_ok}
            seen = Seen(str(number), "x", now, data[str(number)])
            enter(rulings.on_event(armed, memory, seen, {"data": seen.data}, standing=Standing, now=now), now)
    return fired


def expected(arrivals, debounce, cooldown):
    """An event counts when none follows within the quiet; its own data decide."""
    counting = []
    for (second, is_ok), following in zip(arrivals, [*arrivals[1:], (10**6, None)], strict=True):
        if not debounce or following[0] - second >= debounce:
            counting.append((second + debounce, is_ok))
    fired: list[int] = []
    for second, is_ok in counting:
        if is_ok and not (fired and cooldown and second - fired[-1] < cooldown):
            fired.append(second)
    return fired
