"""The pages of rules, executions and approvals, without a browser: what they show, what they take, what they refuse."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from automation.enums import Mode
from automation.forms.examples import EXAMPLES
from automation.forms.rules import RuleForm
from automation.models import Execution, Rule, Verdict
from automation.services import control, executions, rules
from automation.services.judging import judgement, wording
from config.acts.models import Approval, Invocation
from config.acts.plugins.actions import actions
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import Forbidden, InvalidInput
from config.kernel.models import Event
from config.kernel.plugins.contracts import finders, storytellers
from tests.support.api import ADMIN, OPERATOR, VIEWER
from tests.support.pages import client_of, said, statements, text_of
from tests.support.rules import NOTHING, happen, make_rule, run, sample

pytestmark = pytest.mark.django_db

QUOTA = {"user_id": "hello", "quota_type": "x", "current_usage": 1}
EMIT = {"action": "automation.emit_event", "params": {"type": "user.quota_exceeded", "data": QUOTA}}
TYPED = {
    "name": "Processor is busy",
    "about": "",
    "trigger": "automation.threshold",
    "trigger_params-plugin": "automation.threshold",
    "trigger_params-cpu_threshold": "80",
    "trigger_params-operator": ">",
    "trigger_params-match": "any",
    "condition": "memory_usage > 50",
    "conditions-rows": "2",
    "conditions-0-name": "error_rate",
    "conditions-0-least": "2",
    "actions-order": "0,1",
    "actions-0-action": "acting.echo",
    "actions-0-params-plugin": "acting.echo",
    "actions-0-params-text": "It is at ${cpu_usage} %",
    "actions-0-params-times": "1",
    "actions-0-params-secret": "hush",
    "actions-1-action": "acting.noop",
    "actions-1-params-plugin": "acting.noop",
    "on_failure": "stop",
    "severity": "",
    "for_seconds": "5m",
    "cooldown_seconds": "",
    "concurrency": "single",
    "priority": "2",
    "mode": "off",
}


def typed(**changes):
    """The form as it is sent; None takes a field out."""
    return {name: value for name, value in {**TYPED, **changes}.items() if value is not None}


def page_of(rule):
    return reverse("automation:rule", args=[rule.uid])


def judged(**values):
    """A sample that is judged; one before it is history."""
    sample(clock.now() - timedelta(seconds=60), **values)
    judgement.judge_samples()
    sample(clock.now(), **values)
    judgement.judge_samples()


# --- the form ---------------------------------------------------------------------------------


def test_a_rule_is_made_without_json():
    answer = client_of().post("/rules/new", typed())
    rule = Rule.living.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(rule))
    assert rule.trigger_params["cpu_threshold"] == 80
    assert rule.conditions == {"min_error_rate": 2}
    assert [step["action"] for step in rule.steps] == ["acting.echo", "acting.noop"]
    assert rule.steps[0]["params"]["text"] == "It is at ${cpu_usage} %"
    assert (rule.for_seconds, rule.cooldown_seconds, rule.priority, rule.mode) == (300, 0, 2, "off")
    assert rule.owner_name == f"pages-{ADMIN}"


def test_the_order_and_number_of_actions_follow_the_buttons():
    client = client_of()
    for button, order in (
        ("actions:add", "0,1,2"),
        ("actions:remove:0", "1"),
        ("actions:up:1", "1,0"),
        ("actions:down:0", "1,0"),
        ("actions:up:0", "0,1"),
        ("actions:remove:9", "0,1"),
    ):
        shown = text_of(client.post("/rules/new", typed(_redraw=button)))
        assert f'name="actions-order" value="{order}"' in shown, button
    assert not Rule.objects.exists()


def test_what_was_typed_survives_another_choice_of_trigger():
    shown = text_of(client_of().post("/rules/new", typed(trigger="automation.schedule", _redraw="parameters-trigger_params")))
    assert "trigger_params-schedule" in shown
    assert "Processor is busy" in shown
    assert "It is at ${cpu_usage} %" in shown
    assert 'value="error_rate"' in shown


def test_what_was_typed_as_json_is_drawn_again_as_it_was_typed():
    data = '{"user_id": "7"}'
    given = {"actions-order": "0", "actions-0-action": EMIT["action"], "actions-0-params-plugin": EMIT["action"]}
    for button in ("actions:add", "parameters-actions-0-params"):
        answer = client_of().post("/rules/new", typed(**given, **{"actions-0-params-data": data}, _redraw=button))
        assert ">\n{&quot;user_id&quot;: &quot;7&quot;}</textarea>" in text_of(answer), button


def test_an_action_that_was_just_chosen_is_drawn_with_its_usual_values():
    given = {"actions-order": "0", "actions-0-action": "automation.http_request", "actions-0-params-plugin": ""}
    shown = text_of(client_of().post("/rules/new", typed(**given, _redraw="parameters-actions-0-params")))
    assert '<option value="GET" selected>' in shown
    assert 'name="actions-0-params-timeout_seconds" value="30"' in shown


def test_saved_in_the_order_in_which_they_stand():
    client_of().post("/rules/new", typed(**{"actions-order": "1,0"}))
    assert [step["action"] for step in Rule.living.get().steps] == ["acting.noop", "acting.echo"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"trigger": ""}, "This field is required."),
        ({"trigger_params-cpu_threshold": "900"}, "less than or equal to 100"),
        ({"condition": "cpu_usge > 3"}, "Did you mean"),
        ({"conditions-0-name": ""}, "choose a name"),
        ({"conditions-0-least": "many"}, "is no number"),
        ({"conditions-0-name": "nothing_known"}, "There is no condition"),
        ({"actions-0-action": ""}, "This field is required."),
        ({"actions-0-params-times": "0"}, "greater than or equal to 1"),
        ({"actions-order": ""}, "at least one action"),
        ({"for_seconds": "soon"}, "length of time"),
        ({"debounce_seconds": "10"}, "Only rules that wake by events"),
        ({"clear_condition": "cpu_usage <"}, "clear_condition"),
    ],
)
def test_a_mistake_is_shown_and_nothing_is_saved(changes, sentence):
    answer = client_of().post("/rules/new", typed(**changes))
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert not Rule.objects.exists()


def test_a_taken_name_is_said_beside_the_name():
    make_rule("Processor is busy")
    answer = client_of().post("/rules/new", typed())
    assert "There is a rule" in str(answer.context["form"].errors["name"])


def test_what_the_service_refuses_of_a_parameter_stands_beside_its_field():
    bound = RuleForm(typed())
    assert bound.is_valid(), bound.errors
    fields = {"actions.0.params.times": ["Too often."], "trigger_params.cpu_threshold": ["Too hot."], "actions.1": ["Not here."]}
    bound.blame(InvalidInput("No.", fields=fields))
    steps, trigger = str(bound["actions"]), str(bound["trigger_params"])
    assert 'id="id_actions-0-params-times_error" role="alert"><li>Too often.' in steps
    assert 'id="id_trigger_params-cpu_threshold_error" role="alert"><li>Too hot.' in trigger
    assert "<li>Not here.</li>" in steps


def test_a_secret_is_not_shown_and_stays_when_left_empty():
    client = client_of()
    client.post("/rules/new", typed())
    rule = Rule.living.get()
    address = reverse("automation:rule-edit", args=[rule.uid])
    shown = text_of(client.get(address))
    assert "hush" not in shown
    assert "Leave it empty to keep it" in shown
    client.post(address, typed(**{"actions-0-params-secret": "", "actions-order": "1,0", "about": "changed"}))
    rule.refresh_from_db()
    assert (rule.about, rule.steps[1]["params"]["secret"]) == ("changed", "hush")
    assert "hush" not in text_of(client.get(page_of(rule)))


def test_saving_what_was_not_changed_changes_nothing():
    client = client_of()
    client.post("/rules/new", typed())
    rule = Rule.living.get()
    answer = client.post(reverse("automation:rule-edit", args=[rule.uid]), typed(), follow=True)
    assert "Nothing was changed" in said(answer)
    assert Rule.living.get().revision == 1


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.key)
def test_an_example_fills_the_form_in_and_can_be_saved(example):
    assert example.fields["name"] in text_of(client_of().get(f"/rules/new?example={example.key}"))
    rules.create(owner=None, **example.fields)


def test_the_condition_is_checked_as_it_is_typed():
    sample(clock.now(), cpu_usage=91)
    client = client_of(VIEWER)
    assert "now it holds" in text_of(client.get("/rules/condition", {"text": "cpu_usage > 80"}))
    assert "does not hold" in text_of(client.get("/rules/condition", {"text": "cpu_usage > 95"}))
    assert "not known" in text_of(client.get("/rules/condition", {"text": "data.x > 95"}))
    assert "Did you mean" in text_of(client.get("/rules/condition", {"text": "cpu_usag > 95"}))


def test_the_form_offers_the_names_with_their_latest_values():
    sample(clock.now(), cpu_usage=91)
    shown = text_of(client_of().get("/rules/new"))
    assert 'data-insert="id_condition" value="cpu_usage"' in shown
    assert "91 %" in shown


# --- the list and one rule --------------------------------------------------------------------


def test_the_list_says_why_each_did_not_fire():
    make_rule("Cold", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    make_rule("Asleep", mode="off")
    judged(cpu_usage=12)
    shown = text_of(client_of(VIEWER).get("/rules"))
    assert "cpu_usage = 12 %, needs &gt; 80" in shown
    assert "It is off." in shown
    assert "Cold" not in text_of(client_of(VIEWER).get("/rules", {"mode": "off"}))
    assert "Asleep" not in text_of(client_of(VIEWER).get("/rules", {"trigger": "automation.threshold"}))
    assert "Asleep" in text_of(client_of(VIEWER).get("/rules", {"q": "slee", "export": "json"}))


def test_the_list_costs_as_many_statements_for_ten_as_for_one():
    make_rule("Number 0")
    happen()
    client = client_of()
    client.get("/rules")
    one = statements(client, "/rules")
    for number in range(1, 10):
        make_rule(f"Number {number}", trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
    assert statements(client, "/rules") == one
    assert one <= 25


def test_without_rules_it_says_what_to_do_first():
    shown = text_of(client_of().get("/rules"))
    assert "No rule yet" in shown
    assert all(example.title in shown for example in EXAMPLES)
    assert "Begin with this" not in text_of(client_of(VIEWER).get("/rules"))


def test_one_rule_reads_in_plain_words_and_shows_its_verdict():
    rule = make_rule(
        trigger="automation.threshold", trigger_params={"cpu_threshold": 80}, conditions={"max_memory_usage": 90}, cooldown_seconds=600
    )
    judged(cpu_usage=12, memory_usage=40)
    shown = text_of(client_of(VIEWER).get(page_of(rule)))
    for sentence in ("cpu_usage &gt; 80", "memory_usage at most 90", "then not again for 10 min", "Why it does not fire", "12 %"):
        assert sentence in shown
    assert "Switch off" not in shown
    assert Verdict.objects.get().extremes["cpu_usage"] == [12, 12]


def test_what_a_person_should_know_stands_on_top():
    rule = make_rule(mode="shadow", trigger_params={"events": ["execution.completed"]})
    assert "It would wake itself" in text_of(client_of().get(page_of(rule)))


def test_a_rule_is_switched_on_and_off():
    rule = make_rule(mode="off")
    client, address = client_of(), reverse("automation:rule-mode", args=[rule.uid])
    assert "on: it acts" in said(client.post(address, {"mode": "on"}, follow=True))
    assert Rule.living.get().mode == "on"
    assert "already" in said(client.post(address, {"mode": "on"}, follow=True))
    assert "There is no mode" in said(client.post(address, {"mode": "loud"}, follow=True))
    assert client_of(VIEWER).post(address, {"mode": "off"}).status_code == 403
    assert Rule.living.get().mode == Mode.ON


def test_it_is_run_and_deleted_by_hand_after_a_question():
    rule, client = make_rule(mode="off"), client_of()
    address = reverse("automation:rule-run", args=[rule.uid])
    assert "Run the rule &#x27;A rule&#x27; now?" in text_of(client.get(address))
    answer = client.post(address)
    execution = Execution.objects.get()
    assert answer["Location"] == reverse("automation:execution", args=[execution.uid])
    assert (execution.source, execution.actor) == ("manual", f"pages-{ADMIN}")
    client.post(reverse("automation:rule-delete", args=[rule.uid]))
    assert not Rule.living.exists()
    assert client.get(page_of(rule)).status_code == 404
    assert client.get(reverse("automation:execution", args=[execution.uid])).status_code == 200


def test_nobody_gets_done_with_the_rights_of_an_owner_what_he_may_not_do_himself():
    chief = User.objects.create_user("chief", is_superuser=True)
    rule = make_rule(owner=chief)
    clerk = User.objects.create_user("clerk")
    clerk.groups.add(Group.objects.get(name=OPERATOR))
    with pytest.raises(Forbidden):
        rules.update(rule, editor=clerk, actions=[{"action": "acting.critical", "params": {}}])
    assert rules.update(rule, editor=clerk, about="fine").owner == chief


# --- trying and testing back ------------------------------------------------------------------


def test_trying_on_a_past_event_shows_parts_and_filled_actions_and_does_nothing():
    event = happen(component="cache")
    rule = make_rule(
        mode="off",
        condition="data.component == 'cache'",
        actions=[{"action": "acting.echo", "params": {"text": "${data.component} is ill", "secret": "hush"}}],
    )
    address = reverse("automation:rule-try", args=[rule.uid])
    assert event.uid in text_of(client_of(VIEWER).get(address))
    shown = text_of(client_of(VIEWER).get(address, {"event": event.uid}))
    assert "It would fire" in shown
    assert "cache is ill" in shown
    assert "hush" not in shown
    assert "There is no event evt_nothing" in text_of(client_of(VIEWER).get(address, {"event": "evt_nothing"}))
    assert not Execution.objects.exists()


def test_trying_on_the_present_values():
    sample(clock.now(), cpu_usage=12)
    rule = make_rule(mode="off", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    shown = text_of(client_of(VIEWER).get(reverse("automation:rule-try", args=[rule.uid]), {"now": "1"}))
    assert "It would not fire" in shown
    assert "12 %" in shown


def test_a_back_test_says_when_it_would_have_fired_and_what_was_held():
    for _ in range(3):
        happen()
    rule = make_rule(mode="off", cooldown_seconds=3600)
    address = reverse("automation:rule-back-test", args=[rule.uid])
    answer = client_of(VIEWER).get(address, {"window": "1h"})
    tested = answer.context["tested"]
    assert (tested.fired, dict(tested.held)) == (1, {"cooldown": 2})
    assert sum(bar.parts["ok"] for bar in answer.context["bars"]) == 1
    assert sum(bar.parts["held"] for bar in answer.context["bars"]) == 2
    assert "Cooling down" in text_of(answer)
    assert "its end comes after" in text_of(client_of(VIEWER).get(address, {"since": "2030-01-01T00:00", "until": "2029-01-01T00:00"}))
    assert "is no time" in text_of(client_of(VIEWER).get(address, {"since": "soon"}))
    assert not Execution.objects.exists()


# --- executions and approvals -----------------------------------------------------------------


def test_executions_are_listed_filtered_and_exported():
    make_rule("Loud", actions=[{"action": "acting.fail", "params": {"how": "failed"}}])
    make_rule("Quiet", mode="shadow")
    happen()
    run()
    client = client_of(VIEWER)
    assert {"Loud", "Quiet"} <= {one.name for one in client.get("/executions").context["page"].rows}
    for query, names in (
        ({"status": "failed"}, ["Loud"]),
        ({"shadow": "yes"}, ["Quiet"]),
        ({"shadow": "no"}, ["Loud"]),
        ({"rule": "quiet"}, ["Quiet"]),
        ({"source": "manual"}, []),
        ({"status": "open"}, []),
    ):
        assert [one.name for one in client.get("/executions", query).context["page"].rows] == names, query
    assert "Loud" in text_of(client.get("/executions", {"export": "csv"}))


def test_the_list_of_executions_costs_no_more_for_more():
    make_rule()
    happen()
    client = client_of()
    client.get("/executions")
    one = statements(client, "/executions")
    for _ in range(5):
        happen()
        run()
    assert statements(client, "/executions") == one


def test_one_execution_tells_what_caused_it_what_it_did_and_what_came_of_it():
    make_rule(condition="data.component == 'database'", actions=[NOTHING, EMIT])
    event = happen()
    run()
    execution = Execution.objects.get()
    answer = client_of(VIEWER).get(reverse("automation:execution", args=[execution.uid]))
    shown = text_of(answer)
    assert [step.call.status for step in answer.context["steps"]] == ["completed", "completed"]
    for found in (reverse("dashboard:event", args=[event.uid]), "hello", "execution.completed", "user.quota_exceeded", "data.component"):
        assert found in shown
    assert f"The rule {execution.name!r} fired: completed" in [one.text for one in storytellers.get("automation.rules")(event)]


def test_an_execution_is_cancelled_and_a_call_undone():
    rule = make_rule(mode="off")
    execution = executions.run_now(rule, user="system")
    client = client_of()
    address = reverse("automation:execution-cancel", args=[execution.uid])
    assert "is cancelled" in said(client.post(address, follow=True))
    assert "had ended already" in said(client.post(address, follow=True))
    execution.refresh_from_db()
    assert execution.status == "cancelled"


def test_what_waits_for_a_person_is_answered_on_its_page():
    options.set("AUTOMATION_LEVEL", "assisted")
    make_rule()
    happen()
    run()
    approval, execution = Approval.objects.get(), Execution.objects.get()
    client = client_of()
    assert "Waits for approval" in text_of(client.get("/executions"))
    assert "Waits for your answer" in text_of(client.get(reverse("automation:execution", args=[execution.uid])))
    answer = reverse("dashboard:approval-approve", args=[approval.uid])
    assert answer in text_of(client.get(reverse("automation:execution", args=[execution.uid])))
    assert answer not in text_of(client_of(VIEWER).get(reverse("automation:execution", args=[execution.uid])))
    assert client_of(VIEWER).post(answer).status_code in (302, 403)
    approval.refresh_from_db()
    assert approval.status == "pending"
    assert "Approved" in said(client.post(answer, {"note": "go"}, follow=True))
    run()
    assert Invocation.objects.get().status == "completed"


def test_an_undo_is_offered_where_there_is_one(monkeypatch):
    make_rule()
    happen()
    run()
    execution, call = Execution.objects.get(), Invocation.objects.get()
    client = client_of()
    page = reverse("automation:execution", args=[execution.uid])
    address = reverse("automation:execution-undo", args=[execution.uid, call.uid])
    assert address not in text_of(client.get(page))
    monkeypatch.setattr(type(actions.get("acting.noop")), "undo", lambda *given: None)
    assert address in text_of(client.get(page))
    assert "being undone" in said(client.post(address, follow=True))
    assert Invocation.objects.filter(undoes=call).count() == 1
    assert address not in text_of(client.get(page))


# --- overview, search -------------------------------------------------------------------------


def test_the_overview_says_how_automation_stands_and_switches_it():
    make_rule()
    happen()
    run()
    client = client_of()
    shown = text_of(client.get("/"))
    found = control.status()
    assert (found.active_rules, found.success_rate) == (1, 1.0)
    assert "100 %" in shown
    assert "started" not in said(client.post("/automation/stop", follow=True))
    assert not control.is_running()
    assert "Automation is stopped" in text_of(client.get("/rules"))
    assert "Automation is started" in said(client.post("/automation/start", follow=True))
    assert client_of(VIEWER).post("/automation/stop").status_code == 403
    assert control.is_running()


def test_the_search_box_finds_rules_and_executions():
    rule = make_rule("Nightly")
    happen()
    execution = Execution.objects.get()
    assert finders.get("automation.rule")(rule.uid).url == page_of(rule)
    assert finders.get("automation.rule")("nightly").url == page_of(rule)
    assert finders.get("automation.execution")(execution.uid).url.endswith(execution.uid)
    assert finders.get("automation.execution")("exe_nothing") is None


def test_an_event_tells_of_the_rules_that_it_did_not_move():
    make_rule("Picky", condition="data.component == 'cache'")
    event = happen()
    moments = storytellers.get("automation.rules")(Event.objects.get(pk=event.pk))
    assert [moment.text.startswith("The rule 'Picky': not met") for moment in moments] == [True]
    assert "times in a row" not in moments[0].text


def test_the_latest_of_several_events_tells_how_many_were_judged_alike_and_since_when():
    make_rule("Picky", condition="data.component == 'cache'")
    happen()
    happen()
    event = happen()
    verdict = Verdict.objects.get()
    (moment,) = storytellers.get("automation.rules")(event)
    assert (
        f"judged 3 times in a row, from {verdict.first_at:%Y-%m-%d %H:%M:%S} UTC to {verdict.last_at:%Y-%m-%d %H:%M:%S} UTC" in moment.text
    )


def test_a_rule_reads_as_a_sentence_that_begins_with_when():
    said = {
        "automation.event": ({"events": ["a.b", "a.c"]}, "a.b or a.c comes"),
        "automation.absence": ({"events": ["a.b"], "within_seconds": 86400}, "no a.b comes within 1 d"),
        "automation.sequence": ({"events": ["a.b", "a.c"], "within_seconds": 90}, "a.b then a.c come within 1 min 30 s"),
        "automation.schedule": ({"schedule": "0 2 * * *", "time_zone": "Europe/Brussels"}, "at 02:00 every day (Europe/Brussels)"),
        "automation.threshold": ({"cpu_threshold": 80.0}, "cpu_usage > 80"),
    }
    for trigger, (params, words) in said.items():
        assert wording.when(Rule(trigger=trigger, trigger_params=params)) == words
    assert wording.when(Rule(trigger="automation.schedule", trigger_params={"every_seconds": 300})) == "every 5 min"
