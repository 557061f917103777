"""The pages of deliveries and dead letters."""

from datetime import timedelta

import pytest

from config.kernel.flow import clock
from tests.support.api import VIEWER
from tests.support.factories import AttemptFactory, BatchFactory, DeliveryFactory, EndpointFactory, EventFactory
from tests.support.pages import client_of, said, statements, text_of
from webhooks.dashboard import deliveries
from webhooks.enums import DeliveryStatus, EndpointStatus, ErrorCode
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return client_of()


@pytest.fixture
def viewer():
    return client_of(VIEWER)


def dead(**given):
    return DeliveryFactory(ended=DeliveryStatus.DEAD, **given)


def test_the_list_without_deliveries_says_what_to_do_first(viewer):
    assert "Nothing was delivered yet" in text_of(viewer.get("/deliveries"))


def test_the_list_polls_and_its_fragment_is_only_the_rows(viewer):
    delivery = DeliveryFactory()
    assert 'data-poll="3"' in text_of(viewer.get("/deliveries"))
    fragment = text_of(viewer.get("/deliveries", headers={"HX-Request": "true"}))
    assert delivery.uid in fragment
    assert "<html" not in fragment


@pytest.mark.parametrize(
    "query",
    [
        {"status": "dead"},
        {"status": "ended"},
        {"endpoint": "wh_this"},
        {"endpoint": "billing"},
        {"endpoint": "old.example"},
        {"type": "that.thing"},
        {"type": "that.*"},
        {"since": "1h", "status": "dead"},
    ],
)
def test_each_filter_finds_the_one_and_not_the_other(viewer, query):
    endpoint = EndpointFactory(uid="wh_this", description="Old billing", url="https://old.example.com/")
    this = dead(endpoint=endpoint, event=EventFactory(type="that.thing"))
    other = DeliveryFactory()
    page = text_of(viewer.get("/deliveries", query))
    assert this.uid in page
    assert other.uid not in page


def test_what_could_go_now_is_called_due_and_what_waits_has_a_time(viewer):
    DeliveryFactory(next_attempt_at=clock.now() - timedelta(minutes=1))
    waiting = DeliveryFactory(next_attempt_at=clock.now() + timedelta(hours=3, minutes=1))
    page = text_of(viewer.get("/deliveries"))
    assert ">due<" in page
    assert "in 3 h" in page
    assert "in 3 h" in text_of(viewer.get(f"/deliveries/{waiting.uid}"))


def test_a_filter_that_finds_nothing_offers_the_way_back(viewer):
    DeliveryFactory()
    assert "No delivery fits these filters" in text_of(viewer.get("/deliveries", {"status": "cancelled"}))


def test_nonsense_in_the_query_is_answered_with_a_sentence(viewer):
    assert viewer.get("/deliveries", {"since": "yesterday"}).status_code == 400
    assert viewer.get("/deliveries", {"page": "x", "size": "-1"}).status_code == 200


def test_the_list_costs_as_many_statements_for_twelve_as_for_one(viewer):
    DeliveryFactory()
    before = statements(viewer, "/deliveries")
    for _ in range(11):
        DeliveryFactory()
    assert statements(viewer, "/deliveries") == before
    assert before < 20


def test_the_list_is_exported(viewer):
    delivery = dead()
    assert delivery.uid in text_of(viewer.get("/deliveries", {"export": "csv"}))
    assert delivery.event.uid in text_of(viewer.get("/dead-letters", {"export": "json"}))


def test_a_delivery_shows_its_attempts_phases_reply_and_what_to_do(viewer):
    delivery = dead()
    AttemptFactory(
        delivery=delivery,
        status_code=500,
        error_code=ErrorCode.HTTP_STATUS,
        dns_ms=1,
        connect_ms=2,
        tls_ms=3,
        first_byte_ms=30,
        request_headers={"webhook-id": delivery.event.uid},
        response_headers={"server": "nginx"},
        response_body='{"error": "no database"}',
    )
    page = text_of(viewer.get(f"/deliveries/{delivery.uid}"))
    for shown in ("phase--dns", "phase--tls", "nginx", "no database", "The receiver failed inside", "webhook-id", "first byte 30 ms"):
        assert shown in page
    assert f"/events/{delivery.event.uid}" in page
    assert f"/endpoints/{delivery.endpoint.uid}" in page


def test_a_reply_cannot_bring_markup_into_the_page(viewer):
    delivery = dead()
    evil = "<script>alert(1)</script>"
    AttemptFactory(delivery=delivery, response_body=evil, response_headers={"x-evil": evil}, error=evil, error_code=ErrorCode.HTTP_STATUS)
    page = text_of(viewer.get(f"/deliveries/{delivery.uid}"))
    assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_delivery_of_a_batch_shows_the_attempts_of_the_batch(viewer):
    batch = BatchFactory()
    AttemptFactory(batch=batch, delivery=None, status_code=202)
    delivery = DeliveryFactory(batch=batch, endpoint=batch.endpoint, ended=DeliveryStatus.DELIVERED)
    page = text_of(viewer.get(f"/deliveries/{delivery.uid}"))
    assert "202" in page
    assert "events.batch" in page


@pytest.mark.parametrize(
    ("error", "code", "said_of_it"),
    [
        ("dns", None, "name of the host"),
        ("connect", None, "before a whole HTTP reply had come"),
        ("tls", None, "certificate"),
        ("timeout", None, "in time"),
        ("blocked_url", None, "WEBHOOK_ALLOWED_NETWORKS"),
        ("http_status", 302, "redirect"),
        ("http_status", 401, "proof"),
        ("http_status", 410, "gone for good"),
        ("http_status", 429, "too often"),
        ("http_status", 418, "refused"),
        ("http_status", 502, "failed inside"),
    ],
)
def test_each_class_of_error_has_a_sentence_with_what_to_do(error, code, said_of_it):
    assert said_of_it in deliveries.advice(error, code)


def test_a_success_needs_no_advice():
    assert deliveries.advice("", 200) == ""


def test_redelivering_makes_the_delivery_due_again(admin):
    delivery = dead()
    answer = admin.post(f"/deliveries/{delivery.uid}/redeliver", {"next": f"/deliveries/{delivery.uid}"}, follow=True)
    assert "on its way again" in said(answer)
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.PENDING


def test_sending_again_to_an_endpoint_that_is_not_in_use_says_that_it_waits(admin):
    delivery, other = dead(endpoint__status="disabled"), dead(endpoint__status="paused")
    assert "goes again as soon as its endpoint, now disabled, is in use" in said(
        admin.post(f"/deliveries/{delivery.uid}/redeliver", {"next": "/deliveries"}, follow=True)
    )
    assert "waits until that is in use" in said(admin.post("/dead-letters/redeliver", {"delivery": [other.uid]}, follow=True))
    in_use = dead()
    assert "waits" not in said(admin.post("/dead-letters/redeliver", {"delivery": [in_use.uid]}, follow=True))
    assert "waits until you resume" in said(admin.post(f"/endpoints/{other.endpoint.uid}/test", follow=True))


def test_cancelling_ends_an_open_delivery(admin):
    delivery = DeliveryFactory()
    assert "is cancelled" in said(admin.post(f"/deliveries/{delivery.uid}/cancel", {"next": "/deliveries"}, follow=True))
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.CANCELLED
    assert "has ended already" in said(admin.post(f"/deliveries/{delivery.uid}/cancel", {"next": "/deliveries"}, follow=True))


@pytest.mark.parametrize("deed", ["redeliver", "cancel"])
def test_a_viewer_may_not_touch_a_delivery(viewer, deed):
    delivery = dead()
    assert viewer.post(f"/deliveries/{delivery.uid}/{deed}").status_code == 403
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.DEAD
    assert f"/deliveries/{delivery.uid}/{deed}" not in text_of(viewer.get(f"/deliveries/{delivery.uid}"))


def test_no_dead_letters_is_good_news(viewer):
    assert "No dead letters" in text_of(viewer.get("/dead-letters"))


def test_dead_letters_are_grouped_by_endpoint_with_counts(admin):
    endpoint = EndpointFactory(uid="wh_many", description="Many")
    for _ in range(3):
        dead(endpoint=endpoint)
    alive = DeliveryFactory(endpoint=endpoint)
    page = text_of(admin.get("/dead-letters"))
    assert "Send 3 dead letters of wh_many again?" in page
    assert "Redeliver all 3" in page
    assert alive.uid not in page


def test_the_chosen_dead_letters_go_again_and_the_others_stay(admin):
    chosen, other, delivered = dead(), dead(), DeliveryFactory(ended=DeliveryStatus.DELIVERED)
    answer = admin.post("/dead-letters/redeliver", {"delivery": [chosen.uid, delivered.uid], "next": "/dead-letters"}, follow=True)
    assert "1 dead letter is on the way again" in said(answer)
    states = dict(Delivery.objects.values_list("pk", "status"))
    assert states == {chosen.pk: DeliveryStatus.PENDING, other.pk: DeliveryStatus.DEAD, delivered.pk: DeliveryStatus.DELIVERED}


def test_choosing_none_says_so(admin):
    answer = admin.post("/dead-letters/redeliver", {"next": "/dead-letters"}, follow=True)
    assert "No dead letter was chosen" in said(answer)
    assert [message.level_tag for message in answer.context["messages"]] == ["info"]


def test_all_of_an_endpoint_are_confirmed_with_their_count_first(admin):
    endpoint = EndpointFactory(uid="wh_two")
    dead(endpoint=endpoint), dead(endpoint=endpoint), dead()
    assert "Send 2 dead letters of wh_two again?" in text_of(admin.get("/endpoints/wh_two/redeliver-dead"))
    assert Delivery.objects.filter(status=DeliveryStatus.DEAD).count() == 3
    assert "2 dead letters are on the way again" in said(admin.post("/endpoints/wh_two/redeliver-dead", follow=True))
    assert Delivery.objects.filter(status=DeliveryStatus.DEAD).count() == 1
    assert "Send 1 dead letter again?" in text_of(admin.get("/dead-letters/all"))
    admin.post("/dead-letters/all")
    assert Delivery.objects.filter(status=DeliveryStatus.DEAD).count() == 0


def test_letters_of_a_deleted_endpoint_are_shown_but_stay(admin):
    letter = dead(endpoint=EndpointFactory(deleted_at=clock.now(), status=EndpointStatus.ACTIVE))
    assert letter.uid in text_of(admin.get("/dead-letters"))
    admin.post("/dead-letters/redeliver", {"delivery": letter.uid})
    letter.refresh_from_db()
    assert letter.status == DeliveryStatus.DEAD


def test_a_viewer_may_send_no_dead_letter_again(viewer):
    letter = dead()
    assert "Redeliver" not in text_of(viewer.get("/dead-letters"))
    for address in ("/dead-letters/redeliver", "/dead-letters/all", f"/endpoints/{letter.endpoint.uid}/redeliver-dead"):
        assert viewer.post(address, {"delivery": letter.uid}).status_code == 403
    letter.refresh_from_db()
    assert letter.status == DeliveryStatus.DEAD


def test_the_page_of_dead_letters_costs_as_many_statements_for_twelve_as_for_one(admin):
    dead()
    before = statements(admin, "/dead-letters")
    for _ in range(11):
        dead()
    assert statements(admin, "/dead-letters") == before
