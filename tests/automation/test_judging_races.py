"""Rules judged while somebody changes them: neither waits for the other for ever, and nothing is done for a rule that is gone."""

import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction

from automation.models import Execution, RuleState
from automation.services import rules
from automation.services.judging import arming, judgement
from config.kernel.flow import clock, events
from tests.support.rules import make_rule

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races]


def in_a_thread(do):
    """Runs with a connection of its own; what it raised."""
    raised = []

    def run():
        try:
            do()
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


@pytest.mark.parametrize("change", [lambda rule: rules.update(rule, condition="data.x > 1"), rules.delete])
def test_a_rule_is_changed_while_it_is_judged(change):
    rule = make_rule(concurrency="parallel")
    first = events.publish("system.status", data={"status": "x", "component": "database", "details": {}})
    with transaction.atomic():
        judgement.hear([first])
    second = events.publish("system.status", data={"status": "y", "component": "database", "details": {}})
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(RuleState.objects.select_for_update().filter(rule=rule))
            is_held.set()
            may_go_on.wait(10)
            judgement.hear([second])

    judge, raised = in_a_thread(hold)
    assert is_held.wait(10)
    editor, refused = in_a_thread(lambda: change(rule))
    editor.join(0.5)  # it waits for the judge by now
    may_go_on.set()
    judge.join(20)
    editor.join(20)
    assert (raised, refused) == ([], [])
    assert Execution.objects.filter(event=second).count() == 1


@pytest.mark.parametrize("limit", [{"max_per_hour": 1, "concurrency": "parallel"}, {"concurrency": "single"}])
def test_two_subjects_judged_at_once_share_the_limit_of_their_rule(limit):
    rule = make_rule(subject_path="data.component", debounce_seconds=1, **limit)
    for component in "ab":
        event = events.publish("system.status", data={"status": "x", "component": component, "details": {}})
        with transaction.atomic():
            judgement.hear([event])
    now, [ready] = clock.now() + timedelta(seconds=2), arming.ready()
    is_judged, may_end = threading.Event(), threading.Event()

    def first():
        with transaction.atomic():
            judgement._judge_one(ready, "a", {}, now)
            is_judged.set()
            may_end.wait(10)

    def second():
        with transaction.atomic():
            judgement._judge_one(ready, "b", {}, now)

    one, raised = in_a_thread(first)
    assert is_judged.wait(10)
    two, refused = in_a_thread(second)
    two.join(0.5)  # it waits for the first by now
    may_end.set()
    one.join(20)
    two.join(20)
    assert (raised, refused) == ([], [])
    assert Execution.objects.filter(rule=rule, status="pending").count() == 1
