"""Connections renewed between two pieces of work, once for each wish, and never in the middle of one."""

from datetime import timedelta

import pytest
from django.core.signals import request_started
from django.db import connection, transaction

from config.kernel.desk import connections, options
from config.kernel.flow import clock
from config.kernel.wire import http

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """As in a fresh process; how often its HTTP pools were closed."""
    found = []
    monkeypatch.setattr(connections, "_process", connections._Process())
    monkeypatch.setattr(http, "close_pools", lambda: found.append(1))
    yield found
    if hasattr(connection, connections._DONE):
        delattr(connection, connections._DONE)


def wish(at):
    options.set(connections.OPTION, clock.text(at))
    connections._process.looked_at = None


def opened():
    connection.ensure_connection()
    return connection.connection


def test_a_wish_renews_the_connection_and_the_pools_once(closed):
    before = opened()
    wish(clock.now() + timedelta(seconds=1))
    connections.renew()
    assert connection.connection is None
    after = opened()
    connections.renew()
    assert connection.connection is after
    assert after is not before
    assert closed == [1]


def test_each_request_heeds_it():
    opened()
    wish(clock.now() + timedelta(seconds=1))
    request_started.send(sender=None)
    assert connection.connection is None


def test_nothing_is_renewed_without_a_wish_or_for_one_from_before_the_process(closed):
    before = opened()
    connections.renew()
    wish(clock.now() - timedelta(hours=1))
    connections.renew()
    assert (connection.connection, closed) == (before, [])


def test_what_is_under_way_keeps_its_connection(closed):
    wish(clock.now() + timedelta(seconds=1))
    with transaction.atomic():
        before = opened()
        connections.renew()
        assert (connection.connection, closed) == (before, [])


def test_a_thread_without_a_connection_does_not_open_one_to_ask(closed):
    wish(clock.now() + timedelta(seconds=1))
    connection.close()
    connections.renew()
    assert (connection.connection, closed) == (None, [])


def test_a_wish_that_is_no_time_is_none(closed):
    before = opened()
    options.set(connections.OPTION, "soon")
    connections._process.looked_at = None
    connections.heed()
    assert (connection.connection, closed) == (before, [])
