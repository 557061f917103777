"""Days of failure: people are warned before, once, and then the endpoint is disabled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from config.kernel.desk import options
from config.kernel.models import Notification
from tests.support import outbound, receivers
from tests.support.factories import EndpointFactory
from webhooks.models import Endpoint
from webhooks.services import dispatch, endpoints, judgement

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def told(endpoint: Endpoint) -> list[str]:
    rows = Notification.objects.filter(subject=f"endpoint:{endpoint.uid}", channel="dashboard")
    return list(rows.order_by("id").values_list("title", flat=True))


def status(endpoint: Endpoint) -> str:
    return str(Endpoint.objects.values_list("status", flat=True).get(pk=endpoint.pk))


def judge(days: float) -> int:
    """What the duty does so many days after START; it says before what it has to do."""
    now = START + days * DAY
    Endpoint.objects.filter(failing_since__isnull=False).update(last_failed_at=now)
    with time_machine.travel(now, tick=False):
        due = judgement.due_count(now)
        assert judgement.work(now, 100) == due
        assert judgement.due_count(now) == 0
    return due


def test_the_countdown_runs_from_the_first_failure() -> None:
    assert judgement.disables_at(EndpointFactory(failing_since=START)) == START + 5 * DAY
    assert judgement.disables_at(EndpointFactory(failing_since=START, auto_disable_days=2)) == START + 2 * DAY
    assert judgement.disables_at(EndpointFactory(failing_since=START, auto_disable_days=0)) is None
    assert judgement.disables_at(EndpointFactory()) is None


def test_days_of_unbroken_failure_end_in_a_warning_and_then_in_disabling() -> None:
    failing = EndpointFactory(failing_since=START)
    young = EndpointFactory(failing_since=START + timedelta(hours=1))
    assert judge(2.4) == 0
    assert judge(2.5) == 1
    assert (told(failing), told(young)) == ([f"The endpoint {failing.title} fails and will be disabled"], [])
    message = Notification.objects.get(channel="dashboard").message
    assert "2026-03-01 12:00 UTC" in message
    assert "2026-03-06 12:00 UTC" in message
    assert judge(2.6) == 1
    assert judge(4.9) == 0
    assert judge(5) == 1
    assert (status(failing), status(young)) == ("disabled", "active")
    assert told(failing) == [f"The endpoint {failing.title} fails and will be disabled", f"The endpoint {failing.title} was disabled"]


def test_the_warning_goes_to_the_other_channels_too() -> None:
    options.set("NOTIFY_EMAILS", ["ops@example.com"])
    EndpointFactory(failing_since=START)
    judge(3)
    assert set(Notification.objects.values_list("channel", "urgency")) == {("dashboard", "high"), ("email", "high")}


def test_each_row_of_failures_is_warned_of_once(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP, settings.WEBHOOK_ALLOWED_NETWORKS = True, ["127.0.0.0/8"]
    with receivers.ok() as sink, time_machine.travel(START, tick=False) as moment:
        endpoint = outbound.endpoint(sink.url, failing_since=START)
        judge(3)
        moment.shift(3.1 * DAY)
        outbound.deliveries(endpoint)
        dispatch.drain()
        endpoint.refresh_from_db()
        assert endpoint.failing_since is None
        assert judge(4) == 0
        Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=START + 4 * DAY)
        assert judge(6) == 0
        assert judge(6.5) == 1
    assert len(told(endpoint)) == 2


def test_nothing_is_disabled_without_a_warning_some_time_before() -> None:
    """As after a week in which the house was off, or when somebody shortens the days."""
    endpoint = EndpointFactory(failing_since=START)
    assert judge(9) == 1
    endpoint.refresh_from_db()
    assert (status(endpoint), judgement.disables_at(endpoint)) == ("active", START + 10.25 * DAY)
    assert judge(10.2) == 0
    assert judge(10.25) == 1
    assert status(endpoint) == "disabled"


def test_an_endpoint_that_nothing_was_sent_to_has_proved_nothing() -> None:
    EndpointFactory(failing_since=START, warned_at=START + DAY, last_failed_at=START + timedelta(minutes=1))
    assert judgement.work(START + 9 * DAY, 100) == 0


def test_a_paused_endpoint_is_neither_warned_of_nor_disabled() -> None:
    endpoint = EndpointFactory(failing_since=START, status="paused")
    assert judge(9) == 0
    assert endpoints.resume(endpoint)
    assert judge(9) == 1


def test_days_of_zero_never_end() -> None:
    EndpointFactory(failing_since=START, auto_disable_days=0)
    assert judge(300) == 0
