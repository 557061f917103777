"""A rule made, tried, back-tested, switched on and seen firing, in a real browser, without touching JSON: on both its pages."""

import re

import pytest

from tests.support import browser
from tests.support.stack import until


@pytest.fixture
def name(request, house):
    """A name of its own for each window; the rule is deleted afterwards."""
    found = "Rule " + re.sub(r"[^a-z]+", " ", request.node.name.lower()).strip()[-50:].strip()
    yield found
    house.manage("shell", "-v", "0", "-c", f"from automation.services import rules; rules.delete(rules.find({found!r}))")


def choose(page, label, option):
    page.get_by_label(label, exact=True).select_option(option)


def executions(house, name, status):
    statement = "SELECT count(*) FROM automation_execution WHERE name = %s AND status = %s"
    return house.rows(statement, name, status)[0][0]


def publish(house, component):
    data = {"status": "degraded", "component": component, "details": {}}
    answer = house.call("/api/v1/events", {"type": "system.status", "data": data})
    assert answer.status == 202, answer.body


def add_action(page, number, key):
    """Press the button, choose the action; its fields are drawn."""
    page.get_by_role("button", name="Add an action").click()
    chooser = page.get_by_label(f"Action {number}", exact=True)
    chooser.wait_for()
    chooser.select_option(key)


def fill_in(page, name):
    """A threshold with a condition, a limit and two actions; the second is moved up."""
    page.locator("#id_name").fill(name)
    page.evaluate("window.isStillHere = true")
    page.locator("#id_trigger").select_option("automation.schedule")
    page.locator("[name=trigger_params-schedule]").wait_for()
    page.locator("#id_trigger").select_option("automation.threshold")
    page.locator("[name=trigger_params-metric]").fill("cpu_usage")
    page.locator("[name=trigger_params-value]").fill("0")
    page.locator("[name=trigger_params-operator]").select_option(">=")
    condition(page)
    page.locator("[name=conditions-0-name]").fill("memory_usage")
    page.locator("[name=conditions-0-least]").fill("0")
    add_action(page, 1, "automation.send_notification")
    page.locator("[name=actions-0-params-message]").fill("The processor is at ${cpu_usage} %.")
    add_action(page, 2, "automation.emit_event")
    page.locator("[name=actions-1-params-type]").fill("user.quota_exceeded")
    page.locator("[name=actions-1-params-data]").fill('{"user_id": "7", "quota_type": "api", "current_usage": 61}')
    page.get_by_role("button", name="Move action 2 up").click()
    page.locator("[name=actions-order][value='1,0']").wait_for(state="attached")
    assert page.locator("#id_name").input_value() == name
    assert page.evaluate("window.isStillHere") is True


def condition(page):
    """A name is clicked into the field; a mistake is said while it is typed."""
    page.get_by_text("Names that may be used").click()
    page.get_by_label("Find a name").fill("memory_us")
    page.locator("[data-insert=id_condition]:visible").first.click()
    field = page.locator("#id_condition")
    assert field.input_value().strip() == "memory_usage"
    field.press_sequentially(">")
    page.locator("#condition-said .errors").wait_for()
    field.press_sequentially(" 0")
    page.locator("#condition-said").get_by_text("Well formed").wait_for()


def test_a_threshold_is_made_tried_tested_back_switched_on_and_fires(name, desk, house):
    until(lambda: house.rows("SELECT count(*) FROM kernel_snapshot")[0][0], seconds=60, what="a first sample")
    desk.goto(f"{house.url}/rules")
    desk.goto(f"{house.url}/rules/new")
    fill_in(desk, name)
    desk.get_by_role("button", name="Add the rule").click()
    desk.get_by_role("heading", name=name).wait_for()
    for sentence in ("cpu_usage >= 0", "memory_usage at least 0", "Publish user.quota_exceeded"):
        desk.get_by_text(sentence).first.wait_for()
    desk.get_by_role("link", name="Try").click()
    desk.get_by_text("It would fire").wait_for()
    desk.get_by_text(re.compile(r"The processor is at [\d.]+ %\.")).first.wait_for()
    desk.get_by_role("link", name="Back-test").click()
    desk.get_by_role("button", name="Last hour").click()
    desk.get_by_role("heading", name="It would have fired").wait_for()
    assert desk.locator("#firings tbody tr").count() >= 1
    assert not executions(house, name, "completed")
    desk.get_by_role("link", name=name).click()
    desk.get_by_role("button", name="Switch on").click()
    desk.get_by_text("is on: it acts").wait_for()
    until(lambda: executions(house, name, "completed"), seconds=120, what="the rule having fired")
    desk.reload()
    desk.get_by_text("completed").first.click()
    desk.get_by_role("heading", name="What was done").wait_for()
    browser.expect(desk.get_by_text(re.compile("^[12]\\. "))).to_have_count(2)
    desk.get_by_role("link", name="user.quota_exceeded").wait_for()


def test_a_schedule_is_made_and_fires(name, desk, house):
    desk.goto(f"{house.url}/rules/new?example=night")
    desk.locator("#id_name").fill(name)
    desk.locator("[name=trigger_params-schedule]").fill("")
    desk.locator("[name=trigger_params-every_seconds]").fill("2")
    desk.get_by_label("Action 1", exact=True).select_option("automation.emit_event")
    desk.locator("[name=actions-0-params-type]").fill("user.quota_exceeded")
    desk.locator("[name=actions-0-params-data]").fill('{"user_id": "7", "quota_type": "api", "current_usage": 61}')
    desk.get_by_label("On: it acts").check()
    desk.get_by_role("button", name="Add the rule").click()
    desk.get_by_role("heading", name=name).wait_for()
    desk.get_by_text("every 2 s").first.wait_for()
    until(lambda: executions(house, name, "completed"), seconds=90, what="the rule having fired")
    desk.get_by_role("button", name="Switch off").click()
    desk.get_by_text("is off.").first.wait_for()


def test_a_rule_is_made_switched_on_and_fires_in_the_admin(name, desk, house):
    desk.goto(f"{house.url}/admin/automation/rule/add/")
    desk.locator("#id_name").fill(name)
    desk.locator("#id_trigger").select_option("automation.event")
    desk.locator("[name=trigger_params-events]").fill("system.status")
    desk.locator("#id_condition").fill("data.component == 'admin'")
    add_action(desk, 1, "automation.emit_event")
    desk.locator("[name=actions-0-params-type]").wait_for()
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.locator(".steps .errors").get_by_text("This field is required.").wait_for()
    desk.locator("[name=actions-0-params-type]").fill("user.quota_exceeded")
    desk.locator("[name=actions-0-params-data]").fill('{"user_id": "7", "quota_type": "api", "current_usage": 61}')
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_text("was added successfully").wait_for()
    desk.locator("tr", has_text=name).get_by_role("checkbox").check()
    desk.locator("select[name=action]").select_option(label="Switch on")
    desk.get_by_role("button", name=re.compile("Go|Run")).first.click()
    desk.get_by_text("Switch on: 1 rule done").wait_for()
    publish(house, "admin")
    publish(house, "other")
    until(lambda: executions(house, name, "completed"), seconds=60, what="the rule having fired")
    desk.goto(f"{house.url}/admin/automation/execution/")
    desk.get_by_text(name).first.wait_for()
    assert executions(house, name, "completed") == 1


def test_without_scripts_the_form_works_too(chromium, house, session, name):
    from tests.support import browser

    window = browser.look(chromium, width=browser.WIDE, has_scripts=False)
    window.add_cookies(session["cookies"])
    page = window.new_page()
    page.goto(f"{house.url}/rules/new")
    page.locator("#id_name").fill(name)
    page.locator("#id_trigger").select_option("automation.event")
    page.get_by_role("button", name="Show the fields of my choice").first.click()
    page.locator("[name=trigger_params-events]").fill("system.status")
    for number in (1, 2):
        page.get_by_role("button", name="Add an action").click()
        page.get_by_label(f"Action {number}", exact=True).select_option("automation.emit_event")
    page.get_by_role("button", name="Remove action 1").click()
    page.get_by_role("button", name="Show the fields of my choice").last.click()
    page.locator("[name=actions-1-params-type]").fill("user.quota_exceeded")
    page.locator("[name=actions-1-params-data]").fill('{"user_id": "7", "quota_type": "api", "current_usage": 61}')
    page.get_by_role("button", name="Add the rule").click()
    page.get_by_role("heading", name=name).wait_for()
    page.get_by_role("link", name="Run now").click()
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("heading", name="What was done").wait_for()
    window.close()
