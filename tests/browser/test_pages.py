"""Every page of the navigation: quiet, as wide as its window, in both colour schemes, and readable without scripts."""

import re

import pytest

from tests.support import browser, receivers
from tests.support.stack import until

TEAM = "Receiver of the team that looks at pages"


@pytest.fixture(scope="module")
def lived_in(house):
    """The house after something has happened in it."""
    with receivers.failing(3) as receiver:
        endpoint = {"url": receiver.url, "events": ["system.status"], "description": TEAM}
        made = house.call("/api/v1/webhooks/endpoints", {**endpoint, "retry_attempts": 0}).json()
        for number in range(6):
            house.call("/api/v1/events", {"type": "system.status", "data": {"number": number}, "subject": f"machine:{number}"})
        receiver.wait_for(6)
        path = f"/api/v1/webhooks/deliveries?endpoint={made['id']}&status=delivered"
        until(lambda: house.call(path).json()["count"] == 3, what="three deliveries")
    house.call("/api/v1/webhooks/github", b"{}", headers={"X-GitHub-Event": "push", "X-GitHub-Delivery": "unsigned"})
    yield house
    house.call(f"/api/v1/webhooks/endpoints/{made['id']}", method="DELETE")


def entries(page, house):
    """The addresses in the navigation, and one row of each list that has rows."""
    page.goto(f"{house.url}/")
    found = page.eval_on_selector_all(".side nav a", "all => all.map((a) => a.getAttribute('href'))")
    return found or page.eval_on_selector_all(".drawer nav a", "all => all.map((a) => a.getAttribute('href'))")


def test_every_page_is_quiet_and_fits_its_window(lived_in, desk):
    wide = {}
    seen = entries(desk, lived_in)
    assert len(seen) > 8
    for path in list(seen):
        desk.goto(f"{lived_in.url}{path}")
        below = desk.locator("main tbody tr[data-href]").first
        if below.count():
            seen.append(below.get_attribute("data-href"))
        wide[path] = browser.too_wide(desk)
    for path in [*seen[len(wide) :], "/events/publish", "/endpoints/new", "/sources/new"]:
        desk.goto(f"{lived_in.url}{path}")
        wide[path] = browser.too_wide(desk)
    assert {path: found for path, found in wide.items() if found} == {}


def test_a_menu_opens_inside_its_window_wherever_its_button_stands(lived_in, desk):
    desk.goto(f"{lived_in.url}/endpoints")
    endpoint = desk.get_by_text("Receiver of the team that looks at pages").first.get_attribute("href")
    for path, button in ((endpoint, "More"), ("/deliveries", "Export"), ("/notifications", "Export")):
        desk.goto(f"{lived_in.url}{path}")
        desk.locator("summary.button", has_text=button).click()
        box = desk.locator("main details.menu[open] .menu__box").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= desk.viewport_size["width"]


def test_one_box_chooses_all_dead_letters_of_the_page(lived_in, desk):
    desk.goto(f"{lived_in.url}/dead-letters")
    boxes = desk.locator("tbody input[type=checkbox]")
    assert boxes.count() >= 3
    desk.get_by_label("Choose all on this page").check()
    assert desk.locator("tbody input[type=checkbox]:checked").count() == boxes.count()
    boxes.first.uncheck()
    assert desk.get_by_label("Choose all on this page").evaluate("box => box.indeterminate")


def test_the_colours_follow_the_machine_until_a_person_chooses(house, desk):
    desk.goto(f"{house.url}/events")
    by_machine = background(desk)
    for _ in ("light", "dark"):
        if background(desk) == by_machine:
            desk.locator("[data-theme-toggle]").click()
    assert background(desk) != by_machine
    desk.reload()
    assert background(desk) != by_machine


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("width", [browser.WIDE, browser.NARROW])
def test_pages_are_readable_and_usable_without_scripts(lived_in, chromium, session, width):
    context = browser.look(chromium, width=width, has_scripts=False)
    context.add_cookies(session["cookies"])
    page = context.new_page()
    [mine] = [one["id"] for one in lived_in.call("/api/v1/webhooks/endpoints").json()["results"] if one["description"] == TEAM]
    page.goto(f"{lived_in.url}/deliveries?endpoint={mine}")
    assert "dead" in page.locator("#deliveries tbody").inner_text()
    assert re.search(r"\d{4}|ago|now|min", page.locator("#deliveries tbody tr time").first.inner_text())
    page.get_by_label("Status").select_option("dead")
    page.get_by_role("button", name="Filter").click()
    browser.wait_for_url(page, "status=dead")
    browser.expect(page.locator("#deliveries tbody tr")).to_have_count(3)
    page.locator("#deliveries tbody tr a").first.click()
    browser.expect(page.get_by_role("button", name="Redeliver")).to_be_visible()
    browser.expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    if width == browser.NARROW:
        page.locator(".drawer summary").click()
    page.get_by_role("link", name="Dead letters", exact=True).locator("visible=true").first.click()
    page.get_by_role("link", name=re.compile("^Redeliver all")).first.click()
    browser.expect(page.get_by_role("button", name=re.compile("Send|Redeliver"))).to_be_visible()
    context.close()
