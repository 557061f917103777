"""What an event's story says of rules: which fired, which did not and why, and what came of it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import Execution
from automation.services import rules
from automation.services.judging import arming
from config.kernel.flow import events, jobs
from config.kernel.plugins.contracts import finders, storytellers
from tests.support.acting.executor import work_off
from tests.support.pages import client_of, text_of
from tests.support.rules import make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _begin_anew():
    arming.forget()
    yield
    arming.forget()


def happen() -> Any:
    event = events.publish("system.status", data={"status": "x", "component": "database", "details": {}})
    jobs.work("kernel.route")
    return event


def run() -> None:
    for _ in range(3):
        jobs.work("automation.advance")
        work_off()
    jobs.work("automation.advance")


def story(event: Any) -> list[Any]:
    return list(storytellers.get("automation.rules")(event))


def test_the_story_names_the_rule_that_fired_its_execution_and_its_calls():
    rule = make_rule("Listens")
    event = happen()
    run()
    [execution], told = Execution.objects.all(), story(event)
    assert told[0].text.startswith("The rule 'Listens' fired")
    assert [moment.text for moment in told[1:]] == ["Called acting.noop: completed", "The execution of 'Listens' is completed"]
    assert told[0].url.endswith(rule.uid)
    assert told[-1].url.endswith(execution.uid)
    assert (told[-1].tone, told[1].kind) == ("ok", "call")


def test_the_story_says_why_a_rule_did_not_fire_was_held_or_would_have():
    make_rule("Other", condition="data.status == 'y'")
    make_rule("Shadow", mode="shadow")
    make_rule("Held", cooldown_seconds=600)
    happen()
    event = happen()
    told = {moment.text.split("'")[1]: moment for moment in story(event)}
    assert "did not fire: data.status = x, needs == 'y'" in told["Other"].text
    assert "would have fired" in told["Shadow"].text
    assert "was held: " in told["Held"].text
    assert (told["Held"].tone, told["Other"].tone) == ("held", "info")


def test_the_story_of_an_event_nobody_listens_to_has_no_rule_in_it():
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
            assert len(story(event)) == 3 * count
        costs.append(len(caught))
    assert costs[0] == costs[1] <= 4


def test_the_page_of_an_event_leads_to_the_rule_and_its_execution():
    rule = make_rule("Listens")
    event = happen()
    run()
    page = text_of(client_of().get(f"/events/{event.uid}"))
    assert f"/rules/{rule.uid}" in page
    assert f"/executions/{Execution.objects.get().uid}" in page


def test_the_search_box_finds_rules_by_id_and_name_and_executions_by_id():
    rule = make_rule("Listens")
    happen()
    execution = Execution.objects.get()
    for asked, leads_to in ((rule.uid, rule.uid), ("Listens", rule.uid), (execution.uid, execution.uid)):
        assert [hit.url.rpartition("/")[2] for finder in finders.all().values() if (hit := finder(asked))] == [leads_to]
