"""What an event's story says of what its rules started."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import Execution
from automation.services import executions, rules
from config.kernel.plugins.contracts import storytellers
from tests.support.pages import client_of, text_of
from tests.support.rules import happen, make_rule, run

pytestmark = pytest.mark.django_db


def story(event: Any) -> list[Any]:
    return list(storytellers.get("automation.executions")(event))


def test_the_story_names_each_call_and_the_end_and_leads_to_the_call():
    make_rule("Listens", actions=[{"action": "acting.noop"}, {"action": "acting.fail"}])
    event = happen()
    run()
    [execution] = Execution.objects.all()
    calls = list(executions.invocations_of(execution))
    told = story(event)
    assert [moment.text.partition(": ")[0] for moment in told] == [
        "Called acting.noop",
        "Called acting.fail",
        "What the rule 'Listens' started has ended",
    ]
    assert [moment.tone for moment in told] == ["ok", "bad", "bad"]
    assert [moment.url.rpartition("/")[2] for moment in told[:2]] == [call.uid for call in calls]
    page = text_of(client_of().get(f"/events/{event.uid}"))
    assert all(call.uid in page for call in calls)


def test_the_other_way_round_an_execution_and_its_calls_name_the_event():
    make_rule("Listens")
    event = happen()
    run()
    [execution] = Execution.objects.all()
    assert execution.event == event
    assert {call.cause_uid for call in executions.invocations_of(execution)} == {event.uid}


def test_what_did_not_start_has_no_such_line():
    make_rule("Shadow", mode="shadow")
    make_rule("Deaf", trigger_params={"events": ["error.occurred"]})
    assert story(happen()) == []


def test_a_story_costs_no_more_statements_for_many_rules():
    costs = []
    for count in (2, 12):
        for number in range(rules.listed().count(), count):
            make_rule(f"Rule {number}")
        event = happen()
        run()
        with CaptureQueriesContext(connection) as caught:
            assert len(story(event)) == 2 * count
        costs.append(len(caught))
    assert costs[0] == costs[1] == 2
