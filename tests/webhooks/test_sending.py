"""Sending: a claimed row and its endpoint make the signed request; a reply and its policy make the outcome."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from config.kernel.desk import options
from config.kernel.wire import http, signing
from tests.support import outbound, receivers
from webhooks.models import Attempt, Endpoint
from webhooks.services import dispatch, endpoints
from webhooks.services.dispatch import sending, turns
from webhooks.services.dispatch.claiming import Claimed

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLAIMED = Claimed(
    id=1,
    uid="dlv_1",
    endpoint_id=1,
    is_batch=False,
    number=3,
    tries=2,
    message_uid="evt_1",
    event_type="system.status",
    body=b'{"event":"system.status"}',
    correlation_id="corr-1",
)


@pytest.fixture(autouse=True)
def moment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """Time stands still unless a test moves it; receivers on loopback may be called."""
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(turns, "_kept", None)
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def address_of(target: Endpoint) -> sending.Address:
    book = sending.AddressBook()
    book.refresh([target.pk])
    return book[target.pk]


def reply(status: int | None = 200, *, error_code: str = "", **headers: str) -> http.Reply:
    return http.Reply(status, headers, b"", error_code, "", "127.0.0.1", NOW, 12.5)


def test_the_request_names_event_attempt_and_time_and_is_signed() -> None:
    request = sending.request_of(CLAIMED, address_of(outbound.endpoint("https://app.example.com/hook")), now=NOW)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (request.method, request.url, request.body) == ("POST", "https://app.example.com/hook", CLAIMED.body)
    assert (headers["x-webhook-event"], headers["x-webhook-attempt"], headers["x-correlation-id"]) == ("system.status", "3", "corr-1")
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert outbound.verifies(headers, request.body)
    assert signing.hub_verify(outbound.SECRET, headers["x-hub-signature-256"], request.body)
    assert headers["x-hub-signature-256"] == headers["x-webhook-signature"]


def test_an_old_secret_signs_beside_the_new_one_until_its_time_is_over(moment: time_machine.Traveller) -> None:
    target = outbound.endpoint("https://app.example.com/hook")
    new = endpoints.rotate_secret(target, overlap_hours=1)
    headers = {name.lower(): value for name, value in sending.request_of(CLAIMED, address_of(target), now=NOW).headers.items()}
    assert outbound.verifies(headers, CLAIMED.body)
    assert outbound.verifies(headers, CLAIMED.body, secret=new)
    moment.shift(3601)
    later = sending.request_of(CLAIMED, address_of(target), now=NOW + timedelta(seconds=3601)).headers
    assert len(later["webhook-signature"].split()) == 1


def test_the_timeout_is_the_endpoints_or_the_options() -> None:
    assert address_of(outbound.endpoint("https://a.example.com/", timeout_seconds=7)).timeout_seconds == 7
    options.set("WEBHOOK_DEFAULT_TIMEOUT", 45)
    assert address_of(outbound.endpoint("https://b.example.com/", timeout_seconds=None)).timeout_seconds == 45


def test_a_change_takes_effect_within_a_second_and_costs_nothing_until_then(
    moment: time_machine.Traveller, django_assert_num_queries: Any
) -> None:
    target, book = outbound.endpoint("https://a.example.com/old"), sending.AddressBook()
    book.refresh([target.pk])
    Endpoint.objects.filter(pk=target.pk).update(url="https://a.example.com/new")
    with django_assert_num_queries(0):
        book.refresh([target.pk])
    moment.shift(1)
    book.refresh([target.pk])
    assert book[target.pk].url == "https://a.example.com/new"


@pytest.mark.parametrize(
    ("answer", "status", "error_code", "wait"),
    [
        (reply(204), "delivered", "", None),
        (reply(302), "retrying", "http_status", 10),
        (reply(401), "retrying", "http_status", 10),
        (reply(500), "retrying", "http_status", 10),
        (reply(503, **{"retry-after": "30"}), "retrying", "http_status", 30),
        (reply(429), "retrying", "http_status", 60),
        (reply(429, **{"retry-after": "120"}), "retrying", "http_status", 120),
        (reply(None, error_code="timeout"), "retrying", "timeout", 60),
        (reply(None, error_code="connect"), "retrying", "connect", 10),
        (reply(None, error_code="blocked_url"), "dead", "blocked_url", None),
        (reply(410), "dead", "http_status", None),
    ],
)
def test_a_reply_leads_to_an_outcome_by_the_endpoints_policy(answer: http.Reply, status: str, error_code: str, wait: int | None) -> None:
    address = address_of(outbound.endpoint("https://a.example.com/"))
    outcome = sending.judge(CLAIMED, sending.request_of(CLAIMED, address, now=NOW), answer, address)
    assert (outcome.decision.status, outcome.decision.error_code) == (status, error_code)
    assert outcome.decision.next_attempt_at == (NOW + timedelta(seconds=wait) if wait else None)


@pytest.mark.parametrize(
    ("url", "error_code"),
    [("http://127.0.0.1:{closed}/", "connect"), ("http://nowhere.invalid/", "dns"), ("https://127.0.0.1:{plain}/", "tls")],
)
def test_each_way_to_fail_has_its_own_name(url: str, error_code: str) -> None:
    with receivers.gibberish() as plain:
        target = outbound.endpoint(url.format(closed=receivers.refused_port(), plain=plain.port))
        outbound.deliveries(target)
        dispatch.drain()
    attempt = Attempt.objects.get()
    assert (attempt.error_code, attempt.status_code) == (error_code, None)
    assert attempt.error


def test_a_receiver_that_says_nothing_is_given_up_after_its_total_time() -> None:
    with receivers.hang() as sink:
        outbound.deliveries(outbound.endpoint(sink.url, timeout_seconds=1))
        dispatch.drain()
    attempt = Attempt.objects.get()
    assert attempt.error_code == "timeout"
    assert 900 <= attempt.duration_ms <= 4000
