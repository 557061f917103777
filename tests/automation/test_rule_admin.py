"""The admin of rules: the same form as on the dashboard, deeds that count, rows that are only read, and the schedules of beat."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from automation.models import Execution, Rule, RuleState, Verdict
from automation.services import rules
from automation.services.judging import judgement
from config.kernel.flow import clock
from config.kernel.models import AuditRecord
from tests.automation.test_rule_pages import TYPED
from tests.support.pages import statements, text_of
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db
LIST, ADD = "/admin/automation/rule/", "/admin/automation/rule/add/"
FORM = {name: value for name, value in TYPED.items() if not name.startswith("_")}


def person(role, *more):
    user = User.objects.create_user(f"p-{role}", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=f"automation_{role}"))
    user.user_permissions.add(*Permission.objects.filter(codename__in=more))
    client = Client()
    client.force_login(user)
    return client


def change(rule):
    return reverse("admin:automation_rule_change", args=[rule.pk])


def do(client, deed, *rows, url=LIST):
    answer = client.post(url, {"action": deed, "_selected_action": [row.pk for row in rows]}, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_every_model_is_registered():
    assert {Rule, Execution, Verdict, RuleState} <= set(admin.site._registry)


def test_a_rule_is_added_without_json_and_belongs_to_whoever_adds_it():
    boss = person("admin")
    answer = boss.post(ADD, {**FORM, "owner": User.objects.get(username="p-admin").pk})
    assert answer.status_code == 302, text_of(answer)
    rule = Rule.living.get()
    assert [step["action"] for step in rule.steps] == ["acting.echo", "acting.noop"]
    assert (rule.conditions, rule.for_seconds, rule.owner_name) == ({"min_error_rate": 2}, 300, "p-admin")
    assert AuditRecord.objects.filter(action="rule.created", actor="p-admin").count() == 1


def test_saving_it_again_unchanged_changes_nothing_and_keeps_the_secret():
    boss = person("admin")
    owner = User.objects.get(username="p-admin").pk
    boss.post(ADD, {**FORM, "owner": owner})
    rule = Rule.living.get()
    shown = text_of(boss.get(change(rule)))
    assert "hush" not in shown
    assert 'name="actions-order" value="0,1"' in shown
    assert boss.post(change(rule), {**FORM, "owner": owner, "actions-0-params-secret": ""}).status_code == 302
    again = Rule.living.get()
    assert (again.revision, again.steps[0]["params"]["secret"]) == (1, "hush")


def test_buttons_redraw_and_save_nothing():
    boss = person("admin")
    shown = text_of(boss.post(ADD, {**FORM, "_redraw": "actions:add"}))
    assert 'name="actions-order" value="0,1,2"' in shown
    shown = text_of(boss.post(ADD, {**FORM, "trigger": "automation.queue", "_redraw": "parameters-trigger_params"}))
    assert "trigger_params-queue_threshold" in shown
    assert "It is at ${cpu_usage} %" in shown
    assert not Rule.objects.exists()


def test_a_refusal_stands_beside_its_field():
    boss = person("admin")
    answer = boss.post(ADD, {**FORM, "condition": "cpu_usge > 1"})
    assert "Did you mean" in str(answer.context["adminform"].form.errors["condition"])
    answer = boss.post(ADD, {**FORM, "actions-0-params-times": "0"})
    assert 'id="id_actions-0-params-times_error"' in text_of(answer)
    assert not Rule.objects.exists()


def test_only_who_may_do_everything_chooses_the_owner():
    boss = person("admin")
    rule = make_rule(owner=User.objects.get(username="p-admin"))
    other = User.objects.create_user("other", is_superuser=True)
    assert 'name="owner"' in text_of(boss.get(change(rule)))
    fields = {**FORM, "name": rule.name, "owner": other.pk}
    assert boss.post(change(rule), fields).status_code == 302
    assert Rule.living.get().owner == other
    keeper = person("operator", "rules:manage")
    assert 'name="owner"' not in text_of(keeper.get(change(rule)))
    assert keeper.post(change(rule), {**fields, "owner": "", "about": "kept"}).status_code == 302
    assert (Rule.living.get().owner, Rule.living.get().about) == (other, "kept")


def test_an_owner_whose_rights_do_not_suffice_is_refused():
    boss = person("admin")
    weak = User.objects.create_user("weak")
    answer = boss.post(ADD, {**FORM, "owner": weak.pk})
    assert "may not run" in text_of(answer)
    assert not Rule.objects.exists()


def test_who_may_only_look_reads_it_in_plain_words():
    rule = make_rule(actions=[{"action": "acting.echo", "params": {"secret": "hush"}}])
    viewer = person("viewer")
    shown = text_of(viewer.get(change(rule)))
    assert "When system.status comes" in shown
    assert "hush" not in shown
    assert viewer.post(change(rule), FORM).status_code == 403
    assert viewer.get(ADD).status_code == 403


def test_times_are_written_to_the_second_with_their_zone():
    at = clock.now()
    make_rule()
    Rule.objects.update(last_fired_at=at)
    shown = text_of(person("admin").get(reverse("admin:automation_rule_changelist")))
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in shown


def test_deeds_switch_run_and_delete():
    boss = person("admin")
    one, two = make_rule("One", mode="off"), make_rule("Two")
    assert "1 rule done, 1 had nothing to do" in do(boss, "switch_on", one, two)
    do(boss, "only_in_shadow", one)
    assert Rule.living.get(name="One").mode == "shadow"
    do(boss, "switch_off", one)
    assert Rule.living.get(name="One").mode == "off"
    assert "1 rule done" in do(boss, "run_now", one)
    execution = Execution.objects.get()
    assert (execution.owner, execution.actor) == ("p-admin", "p-admin")
    assert "1 execution done" in do(boss, "cancel", execution, url="/admin/automation/execution/")
    execution.refresh_from_db()
    assert execution.status == "cancelled"
    assert "1 rule done" in do(boss, "delete_rules", one)
    assert not Rule.living.filter(name="One").exists()
    boss.post(reverse("admin:automation_rule_delete", args=[two.pk]), {"post": "yes"})
    assert not Rule.living.exists()


def test_what_came_of_rules_is_read_only_and_linked():
    rule = make_rule(trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    for minutes in (2, 1):
        sample(clock.now() - timedelta(minutes=minutes), cpu_usage=91)
        judgement.judge_samples()
    viewer = person("viewer")
    for name in ("execution", "verdict", "rulestate"):
        listed = text_of(viewer.get(f"/admin/automation/{name}/"))
        assert rule.name in listed, name
        model = {"execution": Execution, "verdict": Verdict, "rulestate": RuleState}[name]
        row = reverse(f"admin:automation_{name}_change", args=[model.objects.get().pk])
        assert change(rule) in text_of(viewer.get(row)), name
        assert viewer.post(row, {}).status_code == 403


def test_the_lists_cost_no_more_for_more():
    boss = person("admin")
    make_rule("Number 0")
    boss.get(LIST)
    one = statements(boss, LIST)
    for number in range(1, 8):
        make_rule(f"Number {number}")
    assert statements(boss, LIST) == one


# --- schedules of django-celery-beat ----------------------------------------------------------


def scheduled(name="Nightly", **fields):
    return make_rule(name, trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"}, **fields)


def task_form(row, **changes):
    """What the admin's form of a periodic task sends when nothing is touched."""
    return {
        "name": row.name,
        "regtask": row.task,
        "task": row.task,
        "enabled": "on",
        "description": row.description,
        "crontab": row.crontab_id or "",
        "interval": row.interval_id or "",
        "args": row.args,
        "kwargs": row.kwargs,
        "expire_seconds": row.expire_seconds or "",
        "headers": "{}",
        **changes,
    }


def save_task(client, row, **changes):
    form = {name: value for name, value in task_form(row, **changes).items() if value is not None}
    answer = client.post(reverse("admin:django_celery_beat_periodictask_change", args=[row.pk]), form)
    assert answer.status_code == 302, text_of(answer)


def test_the_periodic_task_of_a_rule_says_whose_it_is():
    rule, boss = scheduled(), person("admin")
    row = PeriodicTask.objects.get(name=f"rule {rule.uid}")
    shown = text_of(boss.get(reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])))
    assert "Of the rule Nightly" in shown


def test_another_time_in_the_admin_of_schedules_is_another_time_of_the_rule():
    rule, boss = scheduled(), person("admin")
    row = PeriodicTask.objects.get(name=f"rule {rule.uid}")
    other = CrontabSchedule.objects.create(minute="30", hour="4", timezone="Europe/Brussels")
    save_task(boss, row, crontab=other.pk)
    rule.refresh_from_db()
    assert (rule.trigger_params["schedule"], rule.trigger_params["time_zone"]) == ("30 4 * * *", "Europe/Brussels")
    save_task(boss, PeriodicTask.objects.get(pk=row.pk), enabled=None)
    rule.refresh_from_db()
    assert rule.mode == "off"


def test_another_time_of_the_rule_is_another_time_of_its_periodic_task():
    rule, boss = scheduled(), person("admin")
    fields = {
        **FORM,
        "name": rule.name,
        "condition": "",
        "conditions-0-name": "",
        "conditions-0-least": "",
        "for_seconds": "",
        "mode": "on",
    }
    fields |= {"trigger": "automation.schedule", "trigger_params-plugin": "automation.schedule", "trigger_params-schedule": "15 3 * * *"}
    assert boss.post(change(rule), fields).status_code == 302
    row = PeriodicTask.objects.get(name=f"rule {rule.uid}")
    assert (row.crontab.minute, row.crontab.hour, row.enabled) == ("15", "3", True)


def test_rules_that_share_their_times_do_not_wake_each_others_saving():
    one, two = scheduled("One"), scheduled("Two")
    rules.update(one, trigger_params={"schedule": "0 3 * * *"})
    hours = {row.name: row.crontab.hour for row in PeriodicTask.objects.filter(name__startswith="rule ")}
    assert hours == {f"rule {one.uid}": "3", f"rule {two.uid}": "2"}


@pytest.mark.parametrize(("role", "is_led"), [("admin", True), ("viewer", False)])
def test_the_record_of_changes_is_pointed_out_to_who_may_read_it(role, is_led):
    assert ('href="/audit"' in text_of(person(role).get(reverse("admin:index")))) is is_led
