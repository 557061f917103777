"""Sending again and giving up."""

from datetime import timedelta

import pytest

from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict
from config.kernel.models import AuditRecord
from tests.support.factories import BatchFactory, DeliveryFactory, EndpointFactory
from webhooks.models import Delivery
from webhooks.services import deliveries

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["dead", "delivered", "cancelled"])
def test_an_ended_delivery_is_sent_again_with_all_attempts_anew(status: str) -> None:
    delivery = DeliveryFactory(ended=status, attempt_count=4)
    event_id = delivery.event_id
    assert deliveries.redeliver(delivery)
    stored = Delivery.objects.get(pk=delivery.pk)
    assert (stored.status, stored.attempt_count, stored.first_attempt_number, stored.finished_at) == ("pending", 4, 4, None)
    assert stored.next_attempt_at is not None
    assert stored.next_attempt_at <= clock.now()
    assert stored.event_id == event_id
    assert AuditRecord.objects.get().action == "delivery.redelivered"


@pytest.mark.parametrize("status", ["pending", "sending", "retrying"])
def test_an_open_delivery_is_left_alone(status: str) -> None:
    delivery = DeliveryFactory(status=status)
    assert not deliveries.redeliver(delivery)
    assert Delivery.objects.get(pk=delivery.pk).status == status
    assert not AuditRecord.objects.exists()


def test_nothing_is_sent_again_to_a_deleted_endpoint() -> None:
    delivery = DeliveryFactory(ended="dead", endpoint=EndpointFactory(deleted_at=clock.now()))
    with pytest.raises(Conflict, match="deleted"):
        deliveries.redeliver(delivery)


def test_a_member_that_is_sent_again_leaves_its_batch() -> None:
    batch = BatchFactory(status="dead")
    delivery = DeliveryFactory(ended="dead", endpoint=batch.endpoint, batch=batch, batch_position=0)
    deliveries.redeliver(delivery)
    assert (delivery.batch_id, delivery.batch_position) == (None, None)


def test_all_dead_letters_are_sent_again_and_counted() -> None:
    for _ in range(3):
        DeliveryFactory(ended="dead")
    DeliveryFactory(ended="delivered")
    DeliveryFactory(ended="dead", endpoint=EndpointFactory(deleted_at=clock.now()))
    assert deliveries.retry_failed_webhooks() == 3
    assert deliveries.retry_failed_webhooks() == 0
    assert Delivery.objects.filter(status="pending").count() == 3


def test_dead_letters_can_be_chosen_by_endpoint_and_time() -> None:
    endpoint = EndpointFactory()
    DeliveryFactory(ended="dead", endpoint=endpoint, finished_at=clock.now() - timedelta(days=2))
    recent = DeliveryFactory(ended="dead", endpoint=endpoint)
    DeliveryFactory(ended="dead")
    assert deliveries.redeliver_dead(endpoint=endpoint, since=clock.now() - timedelta(days=1)) == 1
    assert Delivery.objects.get(status="pending").pk == recent.pk


def test_an_open_delivery_can_be_given_up_once() -> None:
    delivery = DeliveryFactory(status="sending", lease_token="t", lease_until=clock.now() + timedelta(minutes=1))
    assert deliveries.cancel(delivery)
    assert not deliveries.cancel(delivery)
    stored = Delivery.objects.get(pk=delivery.pk)
    assert (stored.status, stored.next_attempt_at, stored.lease_token) == ("cancelled", None, "")
    assert stored.finished_at is not None


def test_a_member_of_an_open_batch_cannot_be_taken_out() -> None:
    batch = BatchFactory()
    delivery = DeliveryFactory(endpoint=batch.endpoint, batch=batch, batch_position=0)
    with pytest.raises(Conflict, match="batch"):
        deliveries.cancel(delivery)


def test_all_that_is_open_to_an_endpoint_is_given_up_batches_included() -> None:
    batch = BatchFactory()
    DeliveryFactory(endpoint=batch.endpoint, batch=batch)
    DeliveryFactory(endpoint=batch.endpoint, status="retrying")
    DeliveryFactory(endpoint=batch.endpoint, ended="delivered")
    other = DeliveryFactory()
    assert deliveries.cancel_open(batch.endpoint) == 2
    batch.refresh_from_db()
    assert batch.status == "cancelled"
    assert Delivery.objects.get(pk=other.pk).status == "pending"
