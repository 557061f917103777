"""What is removed, what is kept, and the day between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.kernel.desk import options
from config.kernel.models import AuditRecord, Event, RouteFailure
from config.kernel.watch import audit
from tests.support.factories import AttemptFactory, BatchFactory, DeliveryFactory, EventFactory, ReceiptFactory, SkipFactory
from webhooks.models import Attempt, Batch, Delivery, Receipt, Skip
from webhooks.services import retention

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def ended(status: str, days: float, **values: Any) -> Delivery:
    return DeliveryFactory(ended=status, finished_at=ago(days), created_at=ago(days), **values)


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_ended_deliveries_go_after_their_days_with_their_attempts(status: str) -> None:
    kept, gone = ended(status, 6), ended(status, 8)
    AttemptFactory(delivery=kept)
    AttemptFactory(delivery=gone)
    retention.remove(NOW)
    assert list(Delivery.objects.all()) == [kept]
    assert Attempt.objects.get().delivery_id == kept.pk


def test_a_pending_delivery_stays_however_old() -> None:
    DeliveryFactory(created_at=ago(400))
    DeliveryFactory(created_at=ago(400), status="retrying")
    retention.remove(NOW)
    assert Delivery.objects.count() == 2


def test_what_is_open_to_a_deleted_endpoint_is_given_up() -> None:
    left = DeliveryFactory(endpoint__deleted_at=ago(0))
    waiting = DeliveryFactory()
    retention.remove(NOW)
    left.refresh_from_db()
    waiting.refresh_from_db()
    assert (left.status, left.finished_at, waiting.status) == ("cancelled", NOW, "pending")


def test_dead_letters_have_days_of_their_own() -> None:
    kept = ended("dead", 29)
    ended("dead", 31)
    retention.remove(NOW)
    assert list(Delivery.objects.all()) == [kept]


def test_the_days_are_live_options() -> None:
    options.set("WEBHOOK_CLEANUP_DAYS", 2)
    ended("delivered", 3)
    retention.remove(NOW)
    assert not Delivery.objects.exists()


def test_a_batch_goes_after_the_last_of_its_members() -> None:
    empty = BatchFactory(status="delivered", finished_at=ago(8))
    full = BatchFactory(status="dead", finished_at=ago(8))
    AttemptFactory(delivery=None, batch=empty)
    ended("dead", 8, endpoint=full.endpoint, batch=full)
    retention.remove(NOW)
    assert list(Batch.objects.all()) == [full]
    assert not Attempt.objects.exists()


def test_skips_by_a_filter_go_and_those_of_a_disabled_endpoint_wait_for_it() -> None:
    SkipFactory(created_at=ago(8))
    kept = [SkipFactory(created_at=ago(6)), SkipFactory(created_at=ago(8), reason="disabled")]
    retention.remove(NOW)
    assert list(Skip.objects.order_by("id")) == kept


def test_a_receipt_loses_its_body_first_and_its_key_much_later() -> None:
    for days in (6, 8, 89, 91):
        ReceiptFactory(created_at=ago(days), delivery_id=f"d{days}")
    retention.remove(NOW)
    assert {one.delivery_id: one.body is not None for one in Receipt.objects.all()} == {"d6": True, "d8": False, "d89": False}


def test_old_events_go_when_nothing_living_points_to_them() -> None:
    def event(days: float = 31, **values: Any) -> Event:
        return EventFactory(**{"created_at": ago(days), "routed_at": ago(days), **values})

    gone, young, unrouted = event(), event(29), event(routed_at=None)
    delivered, received, failing = event(), event(), event()
    DeliveryFactory(event=delivered)
    ReceiptFactory(event=received, created_at=ago(31))
    RouteFailure.objects.create(event=failing, subscriber="x.y", error="e", next_attempt_at=NOW)
    retention.remove(NOW)
    assert set(Event.objects.all()) == {young, unrouted, delivered, received, failing}
    assert gone.pk not in Event.objects.values_list("pk", flat=True)


def test_audit_records_are_never_touched() -> None:
    audit.record("endpoint.created", "endpoint:x")
    AuditRecord.objects.update(created_at=ago(4000))
    retention.remove(NOW)
    assert AuditRecord.objects.count() == 1


def test_it_works_in_chunks_and_rests_when_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    event = EventFactory()
    for _ in range(3):
        ended("delivered", 9, event=event)
    assert retention.due_count(NOW) == 1
    assert retention.work(NOW, 100) == 100
    assert Delivery.objects.count() == 1
    assert retention.work(NOW, 100) == 100
    assert retention.work(NOW, 100) == 0
    assert retention.due_count(NOW) == 0
