"""Leases end by themselves; steps between states are compare-and-swap."""

from datetime import timedelta

import pytest
import time_machine

from config.kernel.flow import clock, leases, transitions
from config.kernel.models import Notification
from config.kernel.watch import notifications
from tests.support.factories import EndpointFactory

pytestmark = pytest.mark.django_db


def test_a_name_has_one_holder_until_it_is_given_back():
    held = leases.acquire("a", seconds=10, holder="me")
    assert held is not None
    assert leases.acquire("a", seconds=10) is None
    assert leases.holder("a") == "me"
    leases.release(held)
    assert leases.acquire("a", seconds=10) is not None


def test_a_lease_that_ran_out_is_free_and_its_old_holder_cannot_renew_it():
    with time_machine.travel("2026-01-01T00:00:00+00:00", tick=False):
        old = leases.acquire("a", seconds=10)
    with time_machine.travel("2026-01-01T00:00:11+00:00", tick=False):
        assert leases.acquire("a", seconds=10) is not None
        assert leases.renew(old, seconds=10) is False


def test_claimed_rows_are_nobody_elses_until_the_lease_ends():
    for number in range(3):
        notifications.notify(f"Note {number}")
    rows = Notification.objects.all()
    token, first = leases.claim(rows, limit=2, seconds=30)
    _, second = leases.claim(rows, limit=5, seconds=30)
    assert (len(first), len(second)) == (2, 1)
    assert Notification.objects.filter(lease_token=token).count() == 2
    Notification.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    assert len(leases.claim(rows, limit=5, seconds=30)[1]) == 3


def test_a_step_happens_once_and_sets_its_changes():
    endpoint = EndpointFactory()
    assert transitions.move(endpoint, to="paused", status_reason="maintenance")
    assert (endpoint.status, endpoint.status_reason) == ("paused", "maintenance")
    assert not transitions.move(endpoint, to="paused")


def test_a_step_nobody_declared_is_a_mistake_in_the_code():
    with pytest.raises(ValueError, match="no step leads"):
        transitions.move(EndpointFactory(), to="exploded")
