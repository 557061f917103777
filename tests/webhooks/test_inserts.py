"""Two rows in one statement: both or none, like two ordinary inserts."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection

from config.kernel.models import Event, RouteFailure
from webhooks.services.inserts import insert_pair

pytestmark = pytest.mark.django_db


def pair(uid: str, **fields: Any) -> tuple[Event, RouteFailure]:
    body = b'{"data":{"a":"\\u0000"}}\x00\xff'
    return Event(uid=uid, type="a.b", body=body, source="system", **fields), RouteFailure(subscriber="x.y", error="100 % wrong")


def test_both_rows_are_stored_as_they_were_and_know_their_keys() -> None:
    event, failure = pair("evt_1", requested_task={"type": "t", "id": "%s"})
    insert_pair(event, failure, link="event")
    stored = RouteFailure.objects.select_related("event").get()
    assert (stored.pk, stored.event_id, stored.event) == (failure.pk, event.pk, event)
    assert (bytes(stored.event.body), stored.event.requested_task) == (event.body, {"type": "t", "id": "%s"})
    assert stored.error == "100 % wrong"
    assert stored.event.created_at == event.created_at


def test_stored_rows_can_be_saved_again() -> None:
    event, failure = pair("evt_1")
    insert_pair(event, failure, link="event")
    failure.attempts = 7
    failure.save()
    event.save()
    assert RouteFailure.objects.get().attempts == 7


def test_when_one_is_forbidden_neither_is_stored() -> None:
    insert_pair(*pair("evt_1"), link="event")
    with pytest.raises(IntegrityError):
        insert_pair(*pair("evt_1"), link="event")
    assert (Event.objects.count(), RouteFailure.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_one_by_itself(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(1 if connection.vendor == "postgresql" else 4):
        insert_pair(*pair("evt_1"), link="event")
    with pytest.raises(IntegrityError):
        insert_pair(*pair("evt_1"), link="event")
    assert RouteFailure.objects.get().event.uid == "evt_1"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_meanwhile_is_replaced() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    insert_pair(*pair("evt_1"), link="event")
    assert Event.objects.get().uid == "evt_1"
