"""How our Celery application behaves when its broker is away."""

from unittest.mock import MagicMock, Mock

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


def test_a_task_that_outlived_its_connection_ends_without_ending_the_worker():
    channel = Mock(spec=Channel, connection=None)
    qos = Channel.QoS(channel)
    qos.ack("tag")
    qos.reject("tag", requeue=True)
    channel.conn_or_acquire.assert_not_called()


def test_a_task_is_acknowledged_while_its_connection_stands():
    channel = MagicMock(spec=Channel, connection=Mock())
    Channel.QoS(channel).ack("tag")
    channel.conn_or_acquire.assert_called_once()


def test_a_task_at_work_is_not_ended_when_the_broker_goes_away():
    assert current_app.conf.worker_cancel_long_running_tasks_on_connection_loss is False
