"""Rules as they are saved: limits to the last digit, names with signs in them, what is refused rather than ignored, loops found soon."""

from datetime import UTC, datetime, timedelta

import pytest

from automation.engine import feeding
from automation.engine.feeding import Fed
from automation.models import Execution
from automation.services.judging import arming, judgement
from automation.triggers.threshold import PastLimit
from config.kernel.flow.errors import InvalidInput
from tests.support.rules import make_rule, sample

BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WRITTEN = [(16_777_217.0, "16777217"), (99.99999, "99.99999"), (1e-7, "1e-07"), (10**22, "1e+22"), (80.0, "80"), (-5.5, "-5.5")]


@pytest.mark.pure
@pytest.mark.parametrize(("value", "said"), WRITTEN)
def test_a_limit_keeps_every_digit(value, said):
    assert PastLimit().condition({"metric": "cpu_usage", "operator": ">", "value": value}) == f"cpu_usage > {said}"


@pytest.mark.django_db
@pytest.mark.parametrize("value", [16_777_217.0, 99.99999, 1e-7, 1e22, -5.5])
def test_a_limit_is_read_back_as_it_was_meant(value):
    rule = make_rule(trigger="automation.threshold", trigger_params={"metric": "queue_items", "value": value})
    for at, measured in ((BEGIN, 0), (BEGIN + timedelta(seconds=30), value), (BEGIN + timedelta(seconds=60), value * 1.0000001 + 1e-9)):
        sample(at, queue_items=measured)
        judgement.judge_samples()
        if measured == value:
            assert not Execution.objects.exists()
    assert Execution.objects.filter(rule=rule).count() == (0 if value < 0 else 1)


@pytest.mark.django_db
def test_further_limits_keep_every_digit():
    rule = make_rule(conditions={"min_queue_items": 1_234_567.5, "max_queue_failed": 16_777_217, "max_queue_age_minutes": 123_456.5})
    texts = [one.source for one in arming.read_conditions(rule)[0]]
    assert texts == ["queue_items >= 1234567.5", "queue_failed <= 16777217", "queues.default.oldest_age <= 7407390"]


@pytest.mark.django_db
@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan")])
def test_a_limit_that_is_no_number_of_ours_is_a_sentence(value):
    for key in ("min_queue_items", "queue_items", "min_queue_age_minutes"):
        with pytest.raises(InvalidInput) as caught:
            make_rule(conditions={key: value})
        assert list(caught.value.fields) == ["conditions"]


@pytest.mark.django_db
@pytest.mark.parametrize("queue", ["night-run", "2nd", "in"])
def test_a_queue_may_have_any_name_that_queues_have(queue):
    params = {"queue_threshold": 10, "queue": queue}
    rule = make_rule(trigger="automation.queue", trigger_params=params, conditions={"min_queue_age_minutes": 1})
    make_rule("by name", trigger="automation.threshold", trigger_params={"metric": f"queues.{queue}.depth", "value": 10})
    for at, depth in ((BEGIN, 0), (BEGIN + timedelta(seconds=30), 11)):
        sample(at, **{f"queues.{queue}.depth": depth, f"queues.{queue}.oldest_age": 61})
        judgement.judge_samples()
    assert set(Execution.objects.values_list("rule__name", flat=True)) == {rule.name, "by name"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"for_seconds": 60}, "for_seconds"),
        ({"condition": "cpu_usage > 80 AND duration > 5m"}, "condition"),
        ({"clear_condition": "cpu_usage < 70"}, "clear_condition"),
        ({"trigger": "automation.schedule", "trigger_params": {"every_seconds": 60}, "for_seconds": 60}, "for_seconds"),
    ],
)
def test_what_only_samples_can_tell_is_refused_where_there_are_none(fields, field):
    with pytest.raises(InvalidInput) as caught:
        make_rule(**fields)
    assert list(caught.value.fields) == [field]


@pytest.mark.pure
def test_a_loop_is_found_by_its_shortest_way():
    mine = Fed("1", "mine", hears=["c"], emits=["a"])
    others = [
        Fed("2", "long", hears=["a"], emits=["b"]),
        Fed("3", "end", hears=["b"], emits=["c"]),
        Fed("4", "short", hears=["a"], emits=["c"]),
    ]
    [found] = feeding.loops(mine, others)
    assert found.text == "It would wake itself: 'mine' → 'short' → c → 'mine'."
    assert found.rules == ("1", "4")


@pytest.mark.pure
def test_a_long_loop_is_found_and_a_thousand_listeners_are_gone_through_once():
    mine = Fed("0", "mine", hears=["e20"], emits=["e0"])
    chain = [Fed(f"c{n}", f"chain {n}", hears=[f"e{n}"], emits=[f"e{n + 1}"]) for n in range(20)]
    crowd = [Fed(f"l{n}", f"listener {n}", hears=["execution.failed"]) for n in range(200)]
    [found] = feeding.loops(mine, [*crowd, *chain])
    assert len(found.rules) == 21
    assert feeding.loops(Fed("0", "mine", hears=["nothing"]), [*crowd, *chain]) == []
