"""The pages of endpoints and replays: what each role sees, and what each deed does to the row."""

from datetime import timedelta

import pytest

from config.kernel.flow import clock
from config.kernel.limits import breaker
from config.kernel.models import AuditRecord
from tests.support.api import VIEWER
from tests.support.factories import SECRET, AttemptFactory, DeliveryFactory, EndpointFactory, EventFactory, SkipFactory
from tests.support.pages import client_of, said, statements, text_of
from webhooks.enums import DeliveryStatus, EndpointStatus, ReplayStatus
from webhooks.models import Delivery, Endpoint, Replay
from webhooks.services import replay as replays

pytestmark = pytest.mark.django_db

FORM = {
    "url": "https://receiver.example/hook",
    "events": "system.*\nvideo.completed",
    "security": "hmac_sha256",
    "retry_strategy": "exponential",
    "retry_max_delay_seconds": "86400",
    "retry_jitter": "0",
    "batch_size": "100",
    "batch_max_wait_seconds": "5",
    "description": "A receiver",
}


@pytest.fixture
def admin():
    return client_of()


@pytest.fixture
def viewer():
    return client_of(VIEWER)


@pytest.fixture
def endpoint():
    return EndpointFactory(uid="wh_one", description="Search index")


def test_the_list_without_endpoints_says_what_to_do_first(admin):
    page = text_of(admin.get("/endpoints"))
    assert "Nobody hears from us yet" in page
    assert 'href="/endpoints/new"' in page


def test_the_list_shows_rates_and_numbers_that_link_to_their_rows(admin, endpoint):
    for status in (DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED, DeliveryStatus.DEAD):
        AttemptFactory(delivery=DeliveryFactory(endpoint=endpoint, ended=status), duration_ms=40)
    page = text_of(admin.get("/endpoints"))
    assert "75.0 %" in page
    assert "40 ms" in page
    assert "/dead-letters?endpoint=wh_one" in page


def test_the_list_costs_as_many_statements_for_twelve_as_for_one(admin, endpoint):
    AttemptFactory(delivery__endpoint=endpoint)
    before = statements(admin, "/endpoints")
    for _ in range(11):
        AttemptFactory(delivery__endpoint=EndpointFactory())
    assert statements(admin, "/endpoints") == before
    assert before < 25


def test_the_filters_find_what_needs_a_look(admin, endpoint):
    EndpointFactory(description="Failing one", failing_since=clock.now())
    broken = EndpointFactory(description="Held one")
    breaker.failed(broken.breaker_key, threshold=1, recovery_seconds=60)
    DeliveryFactory(endpoint=EndpointFactory(description="Burdened one"), ended=DeliveryStatus.DEAD)
    for need, found in (("failing", "Failing one"), ("held", "Held one"), ("dead", "Burdened one")):
        page = text_of(admin.get("/endpoints", {"needs": need}))
        assert found in page
        assert "Search index" not in page


def test_the_fragment_is_only_the_list(admin, endpoint):
    page = text_of(admin.get("/endpoints", headers={"HX-Request": "true"}))
    assert "Search index" in page
    assert "<html" not in page


def test_the_list_is_exported_without_secrets(admin, endpoint):
    for kind in ("csv", "json"):
        file = text_of(admin.get("/endpoints", {"export": kind}))
        assert "wh_one" in file
        assert SECRET not in file


def test_a_page_shows_breaker_countdown_skips_and_deliveries_but_never_the_secret(admin):
    endpoint = EndpointFactory(uid="wh_bad", failing_since=clock.now() - timedelta(days=2), last_failed_at=clock.now())
    breaker.failed(endpoint.breaker_key, threshold=1, recovery_seconds=60)
    SkipFactory(endpoint=endpoint, detail="filter on video_duration")
    DeliveryFactory(endpoint=endpoint)
    page = text_of(admin.get("/endpoints/wh_bad"))
    assert "it is disabled" in page
    assert "Its breaker is open" in page
    assert "skipped: filter on video_duration" in page
    assert "order.placed" in page
    assert SECRET not in page


def test_a_page_does_not_count_down_to_what_has_passed(admin):
    EndpointFactory(uid="wh_bad", failing_since=clock.now() - timedelta(days=9), last_failed_at=clock.now() - timedelta(days=8))
    assert "disabled as soon as one more delivery fails" in text_of(admin.get("/endpoints/wh_bad"))


def test_secret_parts_of_a_url_are_masked(viewer):
    EndpointFactory(uid="wh_q", url="https://receiver.example/hook?token=abc123")
    for address in ("/endpoints", "/endpoints/wh_q"):
        assert "abc123" not in text_of(viewer.get(address))


def test_an_endpoint_that_is_not_there_is_a_page_with_a_sentence(admin):
    answer = admin.get("/endpoints/wh_none")
    assert answer.status_code == 404
    assert "There is no endpoint wh_none" in text_of(answer)


def test_a_viewer_sees_but_is_offered_no_deed(viewer, endpoint):
    page = text_of(viewer.get("/endpoints/wh_one"))
    assert "Search index" in page
    assert "/endpoints/wh_one/pause" not in page
    assert "Add an endpoint" not in text_of(viewer.get("/endpoints"))


@pytest.mark.parametrize("deed", ["test", "pause", "resume", "disable", "enable", "rotate", "delete", "edit", "replay", "redeliver-dead"])
def test_a_viewer_may_do_nothing(viewer, endpoint, deed):
    assert viewer.post(f"/endpoints/wh_one/{deed}", FORM).status_code == 403
    endpoint.refresh_from_db()
    assert endpoint.status == EndpointStatus.ACTIVE
    assert endpoint.secret == SECRET
    assert Delivery.objects.count() == 0


def test_nobody_is_sent_to_the_login(client, endpoint):
    answer = client.get("/endpoints/wh_one")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login")


def test_adding_shows_the_secret_once(admin):
    page = text_of(admin.post("/endpoints/new", FORM))
    made = Endpoint.objects.get()
    assert made.secret in page
    assert made.events == ["system.*", "video.completed"]
    assert made.secret not in text_of(admin.get(f"/endpoints/{made.uid}"))
    assert made.secret not in text_of(admin.get(f"/endpoints/{made.uid}/edit"))


def test_the_page_with_the_secret_is_not_kept_by_the_browser(admin):
    assert admin.post("/endpoints/new", FORM)["Cache-Control"] == "no-store"


def test_a_mistake_is_said_beside_its_field_and_nothing_is_stored(admin):
    page = text_of(admin.post("/endpoints/new", {**FORM, "url": "http://127.0.0.1/x", "events": "no.such.event", "filter_conditions": "{"}))
    assert "not JSON: unexpected end of data at line 1, column 2" in page
    page = text_of(admin.post("/endpoints/new", {**FORM, "events": "no.such.event"}))
    assert "There is no event type" in page
    assert Endpoint.objects.count() == 0


def test_an_address_that_is_not_allowed_is_refused_with_a_sentence(admin):
    answer = admin.post("/endpoints/new", {**FORM, "url": "https://169.254.169.254/latest"})
    assert 'role="alert"' in text_of(answer)
    assert Endpoint.objects.count() == 0


def test_editing_keeps_header_values_that_were_left_masked(admin):
    endpoint = EndpointFactory(uid="wh_h", headers={"X-Tenant": "seven", "X-Old": "1"})
    assert "seven" not in text_of(admin.get("/endpoints/wh_h/edit"))
    answer = admin.post("/endpoints/wh_h/edit", {**FORM, "headers": "X-Tenant: ********\nX-New: 2", "timeout_seconds": "12"}, follow=True)
    assert "is saved" in said(answer)
    endpoint.refresh_from_db()
    assert endpoint.headers == {"X-Tenant": "seven", "X-New": "2"}
    assert endpoint.timeout_seconds == 12


def test_pause_resume_disable_enable_change_the_row_and_say_so(admin, endpoint):
    for deed, status in (("pause", "paused"), ("resume", "active"), ("disable", "disabled"), ("enable", "active")):
        answer = admin.post(f"/endpoints/wh_one/{deed}", {"next": "/endpoints/wh_one"}, follow=True)
        assert "wh_one" in said(answer)
        endpoint.refresh_from_db()
        assert endpoint.status == status


def test_a_deed_needs_a_post(admin, endpoint):
    assert admin.get("/endpoints/wh_one/pause").status_code == 405


def test_a_deed_without_the_token_of_its_form_is_refused(admin, endpoint):
    admin.handler.enforce_csrf_checks = True
    assert admin.post("/endpoints/wh_one/pause").status_code == 403
    endpoint.refresh_from_db()
    assert endpoint.status == EndpointStatus.ACTIVE


def test_deleting_asks_on_a_page_of_its_own_first(admin, endpoint):
    assert "Delete the endpoint wh_one?" in text_of(admin.get("/endpoints/wh_one/delete"))
    assert Endpoint.living.count() == 1
    assert "is deleted" in said(admin.post("/endpoints/wh_one/delete", follow=True))
    assert Endpoint.living.count() == 0


def test_rotating_shows_the_new_secret_once_and_the_old_one_signs_on(admin, endpoint):
    page = text_of(admin.post("/endpoints/wh_one/rotate", {"secret": "", "overlap_hours": "24"}))
    endpoint.refresh_from_db()
    assert endpoint.secret != SECRET
    assert endpoint.secret in page
    assert SECRET not in page
    later = text_of(admin.get("/endpoints/wh_one"))
    assert endpoint.secret not in later
    assert "1 old one still signs" in later
    assert endpoint.secret not in str(list(AuditRecord.objects.values_list("detail", flat=True)))


def test_a_test_event_leads_to_its_delivery(admin, endpoint):
    answer = admin.post("/endpoints/wh_one/test", follow=True)
    delivery = Delivery.objects.get(endpoint=endpoint)
    assert answer.redirect_chain[-1][0] == f"/deliveries/{delivery.uid}"
    assert "on its way" in said(answer)


def test_testing_a_disabled_endpoint_says_what_to_do(admin):
    EndpointFactory(uid="wh_off", status=EndpointStatus.DISABLED)
    answer = admin.post("/endpoints/wh_off/test", {"next": "/endpoints/wh_off"}, follow=True)
    assert "Enable it before you send a test" in said(answer)


def test_the_page_explains_why_an_event_would_not_arrive(viewer):
    EndpointFactory(uid="wh_f", events=["order.placed"], filter_conditions={"amount": {"$gt": 100}})
    event = EventFactory(data={"amount": 5})
    page = text_of(viewer.get("/endpoints/wh_f", {"event": event.uid}))
    assert "would not be delivered" in page
    assert "filter on amount" in page


REPLAY = {"since": "2020-01-01T00:00", "until": "", "events": "", "per_minute": "60"}


def test_a_replay_is_counted_before_it_is_started(admin, endpoint):
    for _ in range(3):
        EventFactory()
    page = text_of(admin.post("/endpoints/wh_one/replay", {**REPLAY, "count": "1"}))
    assert "It would send 3 events" in page
    assert Replay.objects.count() == 0


def test_starting_a_replay_leads_to_its_progress(admin, endpoint):
    EventFactory()
    answer = admin.post("/endpoints/wh_one/replay", {**REPLAY, "start": "1"}, follow=True)
    started = Replay.objects.get()
    assert answer.redirect_chain[-1][0] == f"/replays/{started.uid}"
    assert "<progress" in text_of(answer)
    assert started.total == 1


def test_a_window_that_is_empty_is_said_beside_its_field(admin, endpoint):
    page = text_of(admin.post("/endpoints/wh_one/replay", {**REPLAY, "until": "2019-01-01T00:00", "count": "1"}))
    assert "must be before" in page


def test_a_replay_is_paused_resumed_and_cancelled(admin, viewer, endpoint):
    EventFactory()
    started = replays.start(endpoint, since=clock.now() - timedelta(days=1))
    steps = (("pause", ReplayStatus.PAUSED), ("resume", ReplayStatus.RUNNING), ("cancel", ReplayStatus.CANCELLED))
    for deed, status in steps:
        assert viewer.post(f"/replays/{started.uid}/{deed}").status_code == 403
        assert started.uid in said(admin.post(f"/replays/{started.uid}/{deed}", follow=True))
        started.refresh_from_db()
        assert started.status == status
    assert "cannot be done now" in said(admin.post(f"/replays/{started.uid}/pause", follow=True))
