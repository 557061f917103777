"""A service put under watch in a real browser, without touching JSON; its page and its buttons."""

import re

import pytest

from tests.support import browser


@pytest.fixture
def name(request, house):
    """A name of its own for each window; the service is let go afterwards."""
    found = "by-hand-" + re.sub(r"[^a-z]+", "-", request.node.name.lower()).strip("-")[-40:]
    yield found
    house.call(f"/api/v1/healing/services/{found}", method="DELETE")


def test_choosing_a_controller_draws_its_fields_without_losing_what_was_typed(desk, house, name):
    desk.goto(f"{house.url}/admin/healing/service/add/")
    desk.get_by_label("Name:").fill(name)
    desk.evaluate("window.isStillHere = true")
    desk.get_by_label("Controller:").select_option("healing.supervisor")
    desk.locator("[name=params-program]").fill("web")
    desk.get_by_label("Controller:").select_option("healing.kubernetes")
    desk.locator("[name=params-namespace]").wait_for()
    desk.get_by_label("Controller:").select_option("healing.supervisor")
    desk.locator("[name=params-program]").fill("shop")
    assert desk.get_by_label("Name:").input_value() == name
    assert desk.evaluate("window.isStillHere") is True
    browser.expect(desk.get_by_role("button", name="Show the fields of my choice")).to_have_count(0)
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_text("was added successfully").wait_for()
    service = house.call(f"/api/v1/healing/services/{name}").json()
    assert service["params"] == {"program": "shop"}


def test_a_mistake_stands_beside_its_field(desk, house, name):
    desk.goto(f"{house.url}/admin/healing/service/add/")
    desk.get_by_label("Name:").fill(name)
    desk.get_by_label("Controller:").select_option("healing.supervisor")
    desk.locator("[name=params-program]").wait_for()
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.locator(".parameters .errors").get_by_text("This field is required.").wait_for()
    assert house.call(f"/api/v1/healing/services/{name}").status == 404


def test_its_page_shows_how_it_stands_and_asks_before_a_restart(desk, house, name):
    given = {"name": name, "controller": "healing.supervisor", "params": {"program": "web"}, "may_be_restarted": True}
    made = house.call("/api/v1/healing/services", given).json()
    desk.goto(f"{house.url}/services")
    desk.get_by_role("link", name=name).click()
    desk.get_by_role("button", name="Look now").click()
    desk.get_by_text("Not configured: set SUPERVISOR_URL").first.wait_for()
    desk.get_by_role("link", name="Restart").click()
    desk.get_by_role("dialog").get_by_role("button", name="Restart").click()
    desk.get_by_text(f"A restart of {name} is asked for").wait_for()
    desk.get_by_text("SUPERVISOR_URL (unix").first.wait_for(timeout=60_000)
    browser.wait_for_url(desk, made["id"])


def test_without_scripts_a_button_draws_the_fields(chromium, house, session):
    from tests.support import browser

    window = browser.look(chromium, width=browser.WIDE, has_scripts=False)
    window.add_cookies(session["cookies"])
    page = window.new_page()
    page.goto(f"{house.url}/admin/healing/service/add/")
    page.get_by_label("Name:").fill("typed")
    page.get_by_label("Controller:").select_option("healing.docker")
    page.get_by_role("button", name="Show the fields of my choice").click()
    page.locator("[name=params-project]").wait_for()
    assert page.get_by_label("Name:").input_value() == "typed"
    window.close()
