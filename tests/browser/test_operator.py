"""What an operator does all day, in a real browser, on a wide light screen and on a narrow dark one."""

import hashlib
import hmac
import json
import re
from contextlib import contextmanager

from standardwebhooks.webhooks import Webhook

from tests.browser.conftest import PASSWORD
from tests.support import browser, receivers
from tests.support.stack import until

TYPE = "system.status"
GITHUB_SECRET = b"It's a Secret to Everybody"


@contextmanager
def endpoint(house, receiver, events=(TYPE,), **fields):
    """Registered for the block, then deleted: the next test's events are none of its business."""
    answer = house.call("/api/v1/webhooks/endpoints", {"url": receiver.url, "events": list(events), **fields})
    assert answer.status == 201, answer.body
    made = answer.json()
    yield made
    house.call(f"/api/v1/webhooks/endpoints/{made['id']}", method="DELETE")


def publish(house, **data):
    answer = house.call("/api/v1/events", {"type": TYPE, "data": data})
    assert answer.status == 202, answer.body
    return answer.json()["id"]


def push(house, delivery):
    """A signed push of GitHub, which asks for a task; the id of its event."""
    body = json.dumps({"ref": "refs/heads/main", "after": "a" * 40, "repository": {"full_name": "octo/repo"}}).encode()
    signature = "sha256=" + hmac.new(GITHUB_SECRET, body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": signature, "Authorization": ""}
    assert house.call("/api/v1/webhooks/github", body, headers=headers).status == 202


def deliveries(house, made, status):
    return house.call(f"/api/v1/webhooks/deliveries?endpoint={made['id']}&status={status}").json()["results"]


def first_delivery(house, made, status):
    return until(lambda: deliveries(house, made, status), what=f"a delivery that is {status}")[0]


def stays(page):
    """Mark the page; `is_same` tells later whether it was loaded anew."""
    page.evaluate("window.isStillHere = true")


def is_same(page):
    return page.evaluate("window.isStillHere === true")


def told(page):
    return page.locator(".messages").inner_text()


def test_an_operator_logs_in_and_sees_whether_all_is_well(house, watched):
    page = watched()
    browser.log_in(page, house.url, password=PASSWORD)
    browser.expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    assert page.locator("#frame-health").inner_text().strip() == "System healthy"


def test_a_delivery_arrives_live_and_leaves_the_scroll_position_alone(house, desk):
    with receivers.ok() as receiver, endpoint(house, receiver) as made:
        sent = [{"type": TYPE, "data": {"number": number}} for number in range(30)]
        assert house.call("/api/v1/events/batch", {"events": sent}).status < 300
        receiver.wait_for(30, seconds=30)
        desk.goto(f"{house.url}/deliveries?endpoint={made['id']}")
        rows = desk.locator("#deliveries tbody tr")
        browser.expect(rows).to_have_count(30)
        stays(desk)
        desk.mouse.move(200, 500)
        desk.evaluate("scrollTo(0, 400)")
        publish(house, number="the one that comes live")
        rows.nth(30).wait_for(state="attached")
        browser.expect(rows).to_have_count(31)
        assert rows.first.get_by_text("delivered").is_visible() or "pending" in rows.first.inner_text()
        assert is_same(desk)
        assert desk.evaluate("scrollY") == 400


def test_a_delivery_arrives_live_on_the_page_of_its_endpoint(house, desk):
    with receivers.ok() as receiver, endpoint(house, receiver) as made:
        desk.goto(f"{house.url}/endpoints/{made['id']}")
        browser.expect(desk.get_by_text("Nothing was sent to it yet")).to_be_visible()
        stays(desk)
        publish(house)
        desk.locator("#endpoint tbody tr", has_text="delivered").wait_for()
        assert is_same(desk)


def test_an_events_story_goes_on_while_it_is_read_and_an_opened_row_stays_open(house, desk):
    name = "narrow" if desk.viewport_size["width"] == browser.NARROW else "wide"
    with receivers.failing(1) as receiver, endpoint(house, receiver, ["github.push"], retry_attempts=0) as made:
        push(house, f"story-{name}")
        dead = first_delivery(house, made, "dead")
        desk.goto(f"{house.url}/events?type=github.push")
        desk.locator("#events tbody tr a").first.click()
        story = desk.locator("ol.story")
        assert "it is a dead letter now" in story.inner_text()
        opened = story.locator("details").first
        opened.locator("summary").click()
        stays(desk)
        assert house.call(f"/api/v1/webhooks/deliveries/{dead['id']}/retry", {}).status < 300
        story.get_by_text("answered 200").wait_for()
        assert is_same(desk)
        browser.expect(opened.locator("pre")).to_be_visible()
        assert opened.get_attribute("open") is not None


def test_a_dead_letter_is_delivered_again(house, desk):
    with receivers.failing(1) as receiver, endpoint(house, receiver, retry_attempts=0) as made:
        publish(house)
        dead = first_delivery(house, made, "dead")
        desk.goto(f"{house.url}/dead-letters?endpoint={made['id']}")
        desk.get_by_label(f"Choose {dead['id']}").check()
        desk.get_by_role("button", name="Redeliver the chosen ones").click()
        desk.locator(".messages").wait_for()
        assert "1 " in told(desk)
        first_delivery(house, made, "delivered")
        assert len(receiver.requests) == 2
        assert receiver.requests[0].headers["webhook-id"] == receiver.requests[1].headers["webhook-id"]
        desk.goto(f"{house.url}/deliveries/{dead['id']}")
        browser.expect(desk.locator("dl.facts").get_by_text("delivered")).to_be_visible()
        browser.expect(desk.locator("details.row")).to_have_count(2)


def test_a_rotated_secret_is_shown_once_and_signs_from_then_on(house, desk):
    with receivers.ok() as receiver, endpoint(house, receiver) as made:
        desk.goto(f"{house.url}/endpoints/{made['id']}")
        desk.locator("summary", has_text="More").click()
        desk.get_by_role("link", name="Rotate the secret …").click()
        desk.get_by_role("button", name="Rotate the secret").click()
        desk.get_by_text("This is the only time the secret is shown").wait_for()
        secret = desk.locator(".copyline code").first.inner_text()
        assert secret.startswith("whsec_")
        assert secret != made["secret"]
        publish(house)
        [received] = receiver.wait_for(1)
        Webhook(secret).verify(received.body, dict(received.headers))
        desk.get_by_role("link", name="I have it").click()
        desk.wait_for_url(re.compile(r"/endpoints/wh_\w+$"))
        assert secret not in desk.content()
        desk.goto(f"{house.url}/endpoints/{made['id']}/rotate")
        assert secret not in desk.content()


def test_a_paused_endpoint_gets_nothing_until_it_is_resumed(house, desk):
    with (
        receivers.ok() as receiver,
        receivers.ok() as other,
        endpoint(house, receiver) as made,
        endpoint(house, other) as witness,
    ):
        desk.goto(f"{house.url}/endpoints/{made['id']}")
        status = desk.locator("#endpoint .figure", has_text="Status").first
        assert "active" in status.inner_text()
        desk.get_by_role("button", name="Pause").click()
        desk.get_by_role("button", name="Resume").wait_for()
        assert "paused" in status.inner_text()
        publish(house)
        first_delivery(house, witness, "delivered")
        waiting = first_delivery(house, made, "pending")
        desk.locator("#endpoint tbody tr", has_text="pending").wait_for()
        assert receiver.requests == []
        desk.get_by_role("button", name="Resume").click()
        desk.get_by_role("button", name="Pause").wait_for()
        assert "active" in status.inner_text()
        receiver.wait_for(1)
        assert first_delivery(house, made, "delivered")["id"] == waiting["id"]
