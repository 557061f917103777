"""The roof's own pages: who may see them, that they bear an empty house and hostile text, and that they need no script."""

import html
import json
import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from config.kernel.desk import permissions
from config.kernel.flow import clock, events
from config.kernel.models import AuditRecord, Event, EventType, Notification, RouteFailure
from config.kernel.plugins import contracts
from config.kernel.plugins.contracts import Moment, Page, Panel
from config.kernel.watch import audit, notifications

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"
FOR_VIEWERS = ("/", "/events", "/search", "/search?q=nothing-like-this", "/notifications", "/fragments/health")
FOR_ADMINISTRATORS = (*FOR_VIEWERS, "/events/publish", "/audit", "/admin/", "/admin/auth/user/")
FRAGMENTS = ("/", "/events", "/notifications", "/audit")


def _someone(group):
    permissions.set_up_roles()
    user = User.objects.create_user(f"{group}-person", password="a-long-password")
    user.groups.add(Group.objects.get(name=f"automation_{group}"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer():
    return _someone("viewer")


@pytest.fixture
def operator():
    return _someone("operator")


@pytest.fixture
def administrator():
    user = User.objects.create_superuser("chief", password="a-long-password")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def order_type():
    return EventType.objects.create(name="order.created", example={"order": {"id": 42}}, schema={"type": "object", "required": ["order"]})


def an_event(order_type, **options):
    return events.publish("order.created", data={"order": {"id": 1}}, **options)


def text_of(response):
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode()


# --- who may see what ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", FOR_VIEWERS)
def test_a_viewer_sees_each_page_of_an_empty_house(viewer, path):
    assert viewer.get(path).status_code == 200


@pytest.mark.parametrize("path", FOR_ADMINISTRATORS)
def test_an_administrator_sees_each_page_of_an_empty_house(administrator, path):
    assert administrator.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/events", "/events/evt_x", "/events/publish", "/search", "/notifications", "/audit"])
def test_who_is_not_logged_in_is_led_to_the_login_and_back(path):
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/login?next={path}"


def test_a_fragment_without_a_session_moves_the_whole_page_to_the_login():
    response = Client().get("/events", headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == "/login"


@pytest.mark.parametrize("path", ["/audit", "/events/publish"])
def test_a_viewer_is_refused_what_needs_more_and_told_what(viewer, path):
    response = viewer.get(path)
    assert response.status_code == 403
    assert "permission" in text_of(response)


def test_a_user_in_no_group_is_refused():
    user = User.objects.create_user("nobody", password="a-long-password")
    client = Client()
    client.force_login(user)
    assert client.get("/").status_code == 403


def test_a_viewer_cannot_route_an_event_again(viewer, order_type):
    event = an_event(order_type)
    Event.objects.update(routed_at=clock.now())
    assert viewer.post(f"/events/{event.uid}/reroute").status_code == 403
    event.refresh_from_db()
    assert event.routed_at is not None


def test_no_button_is_drawn_that_would_only_be_refused(viewer, administrator, order_type):
    event = an_event(order_type)
    assert "Route again" not in text_of(viewer.get(f"/events/{event.uid}"))
    assert "Route again" in text_of(administrator.get(f"/events/{event.uid}"))


def test_the_navigation_shows_only_what_one_may_see(viewer):
    shown = text_of(viewer.get("/"))
    assert 'href="/events"' in shown
    assert 'href="/audit"' not in shown
    assert 'href="/admin/"' not in shown


def test_a_page_that_an_app_registers_is_in_the_navigation(viewer):
    with contracts.pages.swapped("tests.page", Page("Oddities", "/oddities", "Tests", 999)):
        assert "Oddities" in text_of(viewer.get("/"))


def test_the_navigation_marks_where_we_are(viewer):
    assert re.search(r'href="/events" aria-current="page"', text_of(viewer.get("/events")))


# --- logging in and out -------------------------------------------------------------------------


def test_one_logs_in_and_gets_where_one_wanted_to_go():
    User.objects.create_user("someone", password="a-long-password")
    response = Client().post("/login", {"username": "someone", "password": "a-long-password", "next": "/events"})
    assert response["Location"] == "/events"


def test_a_wrong_password_is_told_in_words():
    response = Client().post("/login", {"username": "someone", "password": "wrong"})
    assert response.status_code == 200
    assert "correct username and password" in text_of(response)


def test_logging_in_leads_nowhere_else():
    User.objects.create_user("someone", password="a-long-password")
    answer = {"username": "someone", "password": "a-long-password", "next": "https://elsewhere.example/"}
    assert Client().post("/login", answer)["Location"] == "/"


def test_one_logs_out(viewer):
    assert viewer.post("/logout").status_code == 302
    assert viewer.get("/").status_code == 302


# --- the safety of every page --------------------------------------------------------------------


@pytest.mark.parametrize("path", [*FOR_ADMINISTRATORS, "/login", "/no-such-page"])
def test_no_page_has_inline_styles_or_scripts(administrator, path):
    """The content security policy would silently drop them."""
    shown = text_of((Client() if path == "/login" else administrator).get(path))
    assert not re.search(r"<[^>]+\sstyle\s*=", shown)
    assert "<style" not in shown
    assert not re.search(r"<[^>]+\son[a-z]+\s*=", shown)
    for attributes in re.findall(r"<script([^>]*)>", shown):
        assert "src=" in attributes or "nonce=" in attributes or 'type="application/json"' in attributes


@pytest.mark.parametrize("path", ["/events", "/events/{uid}", "/search?q={evil}", "/events?subject={evil}&type={evil}&state={evil}"])
def test_what_a_stranger_sent_is_never_markup(administrator, order_type, path):
    event = events.publish("order.created", data={"order": {"id": EVIL}}, subject=f"order:{EVIL}", source=f"program:{EVIL}")
    shown = text_of(administrator.get(path.format(uid=event.uid, evil=EVIL)))
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize("path", FRAGMENTS)
def test_htmx_gets_the_part_that_changes_and_caches_know_it(administrator, path):
    response = administrator.get(path, headers={"HX-Request": "true"})
    assert "<html" not in text_of(response)
    assert "HX-Request" in response["Vary"]


def test_a_page_that_does_not_exist_says_so_to_people(viewer):
    response = viewer.get("/no-such-page")
    assert response.status_code == 404
    assert "Not found" in text_of(response)


# --- the overview ---------------------------------------------------------------------------------


def test_the_overview_counts_the_events_of_the_last_day(viewer, order_type):
    an_event(order_type)
    old = an_event(order_type)
    Event.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=3))
    shown = viewer.get("/").context["events"]
    assert shown["total"] == 1
    assert [bar.total for bar in shown["series"]][-1] == 1
    assert len(shown["series"]) == 24


def test_the_number_of_events_leads_to_just_these_rows(viewer, order_type):
    an_event(order_type)
    late = an_event(order_type)
    first = viewer.get("/").context["events"]["since"]
    # Within the last 24 hours, and yet before the first hour that is counted.
    Event.objects.filter(pk=late.pk).update(created_at=datetime.fromisoformat(first) - timedelta(seconds=1))
    page = text_of(viewer.get("/"))
    [address] = re.findall(r'<dt>Last 24 hours</dt><dd><a href="([^"]*)">1</a>', page)
    assert viewer.get(html.unescape(address)).context["page"].total == 1


def test_events_that_two_could_not_take_are_counted_once_as_they_are_listed(viewer, order_type):
    event = an_event(order_type)
    for subscriber in ("webhooks.fanout", "webhooks.other"):
        RouteFailure.objects.create(event=event, subscriber=subscriber, error="no")
    assert viewer.get("/").context["events"]["failures"] == viewer.get("/events?state=failed").context["page"].total == 1


def test_an_urgency_looks_the_same_wherever_it_is_shown(viewer):
    notifications.notify("The endpoint keeps failing", urgency="high")
    drawn = [re.search(r"status--(\w+)[^>]*><svg.*?</svg>high<", text_of(viewer.get(path))).group(1) for path in ("/", "/notifications")]
    assert drawn == ["held", "held"]


def test_notifications_are_exported_as_they_are_filtered(viewer):
    notifications.notify("Look at this", urgency="high")
    rows = json.loads(b"".join(viewer.get("/notifications?state=unread&export=json").streaming_content))
    assert [row["title"] for row in rows] == ["Look at this"]


def test_notifications_are_found_by_words_and_urgency_and_say_when_none_fits(viewer):
    notifications.notify("The queue videos is paused", urgency="normal")
    notifications.notify("Look at this", urgency="high")
    shown = [row.title for row in viewer.get("/notifications?q=VIDEOS").context["page"].rows]
    assert shown == ["The queue videos is paused"]
    page = text_of(viewer.get("/notifications?q=videos&urgency=high"))
    assert 'name="q" value="" placeholder="Find an id' in page
    assert "No notification fits these filters" in page
    assert "Nothing needs you" not in page


def test_the_story_names_each_app_that_heard_it_once(viewer, order_type):
    event = an_event(order_type)
    Event.objects.filter(pk=event.pk).update(routed_at=event.created_at)
    texts = [moment.text for moment in viewer.get(f"/events/{event.uid}").context["told"].moments]
    assert "Routed; heard by automation, webhooks" in texts


def test_the_overview_says_what_waits_for_a_person(viewer):
    notifications.notify("The endpoint wh_orders keeps failing", urgency="high")
    notifications.notify("Only so you know", urgency="normal")
    shown = text_of(viewer.get("/"))
    assert "wh_orders keeps failing" in shown
    assert "Only so you know" not in shown


def test_a_panel_that_cannot_be_drawn_does_not_take_the_page_with_it(viewer):
    def broken(request):
        raise RuntimeError("no")

    with contracts.panels.swapped("tests.panel", Panel("Broken", "dashboard/_search.html", broken)):
        response = viewer.get("/")
    assert response.status_code == 200
    assert "could not be drawn" in text_of(response)


def test_a_panel_of_another_scope_is_not_drawn(viewer):
    with contracts.panels.swapped("tests.panel", Panel("Secrets", "dashboard/_search.html", lambda request: {}, scope="audit:view")):
        assert "Secrets" not in text_of(viewer.get("/"))


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        ("?type=order.created", 1),
        ("?type=order.*", 1),
        ("?type=nothing", 0),
        ("?subject=user:7", 1),
        ("?source=program:", 1),
        ("?state=waiting", 2),
        ("?state=failed", 1),
        ("?state=stopped", 0),
        ("?since=1h", 2),
        ("?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z", 0),
        ("?size=25&page=9", 0),
        ("?size=nonsense&page=-3", 2),
    ],
)
def test_events_are_found_by_each_filter(viewer, order_type, query, found):
    EventType.objects.create(name="user.registered")
    an_event(order_type, source="program:shop")
    event = events.publish("user.registered", data={}, subject="user:7")
    RouteFailure.objects.create(event=event, subscriber="webhooks.fanout", error="no")
    assert len(viewer.get(f"/events{query}").context["page"].rows) == found


def test_a_time_that_is_none_is_refused_in_words(viewer):
    response = viewer.get("/events?since=yesterday-ish")
    assert response.status_code == 400
    assert "yesterday-ish" in text_of(response)


def test_the_list_of_events_asks_few_questions(viewer, order_type, django_assert_max_num_queries):
    for _ in range(30):
        an_event(order_type)
    with django_assert_max_num_queries(12):
        viewer.get("/events", headers={"HX-Request": "true"})


def test_an_empty_list_says_what_to_do_first(viewer):
    assert "Publish a test event" in text_of(viewer.get("/events"))


def test_events_are_exported_as_they_are_filtered(viewer, order_type):
    an_event(order_type, subject="order:1")
    an_event(order_type, subject="order:2")
    lines = text_of(viewer.get("/events?export=csv&subject=order:1")).splitlines()
    assert lines[0].startswith("id,type,subject")
    assert len(lines) == 2
    [row] = json.loads(text_of(viewer.get("/events?export=json&subject=order:2")))
    assert row["subject"] == "order:2"


def test_an_exported_cell_is_never_a_formula(viewer, order_type):
    an_event(order_type, subject="=cmd()")
    assert "'=cmd()" in text_of(viewer.get("/events?export=csv"))


# --- an event's story -----------------------------------------------------------------------------


def test_the_story_tells_what_the_kernel_and_the_apps_know_in_order(viewer, order_type):
    event = an_event(order_type)
    Event.objects.filter(pk=event.pk).update(routed_at=event.created_at + timedelta(seconds=1))
    RouteFailure.objects.create(event=event, subscriber="webhooks.fanout", error="database is locked", created_at=event.created_at)

    def told(of):
        return [Moment(of.created_at + timedelta(seconds=2), "delivery", "Delivered to wh_orders", url="/deliveries/dlv_1", tone="ok")]

    with contracts.storytellers.swapped("tests.story", told):
        response = viewer.get(f"/events/{event.uid}")
    texts = [moment.text for moment in response.context["told"].moments]
    assert texts[0].startswith("Stored, from system")
    assert any("could not take it" in text for text in texts)
    assert texts[-1] == "Delivered to wh_orders"
    assert 'href="/deliveries/dlv_1"' in text_of(response)


def test_an_app_that_cannot_tell_its_part_does_not_take_the_story_with_it(viewer, order_type):
    def broken(event):
        raise RuntimeError("no")

    event = an_event(order_type)
    with contracts.storytellers.swapped("tests.story", broken):
        assert "could not tell its part" in text_of(viewer.get(f"/events/{event.uid}"))


def test_the_story_shows_the_chain_of_causes_and_effects(viewer, order_type):
    first = an_event(order_type)
    with events.handling(first):
        second = an_event(order_type)
    with events.handling(second):
        third = an_event(order_type)
    told = viewer.get(f"/events/{second.uid}").context["told"]
    assert [cause.uid for cause in told.causes] == [first.uid]
    assert [effect.uid for effect in told.effects] == [third.uid]


def test_the_envelope_can_be_downloaded_byte_by_byte(viewer, order_type):
    event = an_event(order_type)
    assert viewer.get(f"/events/{event.uid}/body").content == bytes(event.body)


def test_an_event_that_is_not_there_is_404_in_words(viewer):
    response = viewer.get("/events/evt_gone")
    assert response.status_code == 404
    assert "evt_gone" in text_of(response)


def test_an_event_is_routed_again(administrator, order_type):
    event = an_event(order_type)
    Event.objects.update(routed_at=clock.now())
    response = administrator.post(f"/events/{event.uid}/reroute", headers={"Referer": f"http://testserver/events/{event.uid}"}, follow=True)
    event.refresh_from_db()
    assert event.routed_at is None
    assert "being routed again" in text_of(response)


# --- publishing -----------------------------------------------------------------------------------


def test_the_form_is_filled_with_the_example_of_the_type(operator, order_type):
    shown = text_of(operator.get("/events/publish?type=order.created"))
    assert "&quot;id&quot;: 42" in shown


def test_a_test_event_is_published_and_its_story_shown(operator, order_type):
    response = operator.post("/events/publish", {"type": "order.created", "payload": '{"order": {"id": 7}}', "subject": "order:7"})
    event = Event.objects.get(subject="order:7")
    assert response["Location"] == f"/events/{event.uid}"
    assert event.data == {"order": {"id": 7}}
    assert event.source == "program:operator-person"


@pytest.mark.parametrize(("payload", "sentence"), [("{", "not JSON"), ('{"other": 1}', "order")])
def test_what_cannot_be_published_is_told_at_the_field(operator, order_type, payload, sentence):
    response = operator.post("/events/publish", {"type": "order.created", "payload": payload})
    assert response.status_code == 200
    assert any(sentence in error for error in response.context["form"].errors["payload"])
    assert not Event.objects.exists()


# --- search, notifications, audit, colours ----------------------------------------------------------


@pytest.mark.parametrize("field", ["uid", "subject", "correlation_id"])
def test_the_search_leads_straight_to_the_only_thing_found(viewer, order_type, field):
    event = an_event(order_type, subject="order:42", correlation_id="abc123")
    response = viewer.get("/search", {"q": getattr(event, field)})
    assert response.status_code == 302
    assert response["Location"].startswith("/events")
    assert len(viewer.get(response["Location"]).content) > 0


def test_a_finder_that_fails_does_not_take_the_search_with_it(viewer):
    def broken(asked):
        raise RuntimeError("no")

    with contracts.finders.swapped("tests.finder", broken):
        assert viewer.get("/search?q=x").status_code == 200


def test_a_notification_is_marked_as_read(operator):
    [row] = notifications.notify("Look at this", urgency="high")
    operator.post(f"/notifications/{row.uid}/read")
    assert not Notification.objects.filter(read_at__isnull=True).exists()


def test_who_may_only_look_marks_nothing_as_read(viewer):
    [row] = notifications.notify("Look at this", urgency="high")
    assert viewer.post(f"/notifications/{row.uid}/read").status_code == 403
    assert viewer.post("/notifications/read").status_code == 403
    assert Notification.objects.filter(read_at__isnull=True).exists()


def test_all_notifications_are_marked_as_read_at_once(operator):
    notifications.notify("One")
    notifications.notify("Two")
    assert "2 notifications marked as read" in text_of(operator.post("/notifications/read", follow=True))


def test_the_unread_are_counted_in_the_frame(viewer):
    notifications.notify("One")
    assert "Notifications, 1 unread" in text_of(viewer.get("/events"))


def test_the_audit_trail_is_filtered(administrator):
    audit.record("endpoint.paused", "endpoint:wh_1", reason="maintenance")
    audit.record("option.changed", "option:X")
    rows = administrator.get("/audit?action=endpoint.").context["page"].rows
    assert [row.action for row in rows] == ["endpoint.paused"]
    assert AuditRecord.objects.count() >= 2


def test_the_colours_can_be_switched_without_a_script(viewer):
    response = viewer.post("/theme", {"next": "/events"})
    assert response["Location"] == "/events"
    assert 'data-theme="light"' in text_of(viewer.get("/events"))


def test_a_redirect_never_leads_to_another_site(viewer):
    assert viewer.post("/theme", {"next": "https://elsewhere.example/"})["Location"] == "/"
