"""How our Celery application behaves when its broker is away."""

import pytest
from celery import current_app
from kombu.exceptions import OperationalError
from kombu.transport.redis import Channel
from kombu.utils import functional

pytestmark = pytest.mark.pure


def test_a_lost_broker_is_looked_for_every_two_seconds_however_long_it_is_away(monkeypatch):
    monkeypatch.setattr(functional, "sleep", lambda seconds: None)
    pauses = []
    connection = current_app.amqp.Connection("redis://127.0.0.1:1/0")
    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda error, pause: pauses.append(pause), 20)
    assert len(pauses) >= 20
    assert max(pauses) <= 2


def test_a_worker_that_lost_its_broker_hands_nothing_back():
    """kombu would do so over the connection that is gone, and the worker would end."""
    assert Channel.do_restore is False
