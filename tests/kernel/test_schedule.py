"""What the schedule sends, and when it keeps still."""

from types import SimpleNamespace

import pytest
from celery import current_app
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
from django_celery_results.models import TaskResult

from config.kernel.management import processes

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(DatabaseScheduler, "apply_async", lambda self, entry, **options: found.append(entry.name))
    return found


def producer_to(waiting):
    """A producer whose queues hold these many messages."""
    return SimpleNamespace(channel=SimpleNamespace(queue_declare=lambda queue: SimpleNamespace(message_count=waiting[queue])))


def entry(**options):
    return SimpleNamespace(name="sweep", options=options)


def test_a_due_task_is_sent_while_somebody_takes_from_the_queue(sent):
    processes.Schedule(app=current_app, lazy=True).apply_async(entry(), producer=producer_to({"default": 99}))
    assert sent == ["sweep"]


def test_a_due_task_is_not_sent_to_a_queue_that_nobody_empties(sent):
    schedule = processes.Schedule(app=current_app, lazy=True)
    schedule.apply_async(entry(), producer=producer_to({"default": 100}))
    schedule.apply_async(entry(queue="deliveries"), producer=producer_to({"default": 0, "deliveries": 5000}))
    assert sent == []


def test_the_length_of_a_real_queue_is_known():
    with current_app.connection_for_write() as connection, connection.channel() as channel:
        assert channel.queue_declare(queue="a-queue-of-this-test").message_count == 0


def test_an_interval_that_was_edited_in_the_admin_is_kept_to_without_a_restart(admin_client, monkeypatch):
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)  # it would end the transaction of the test
    running = processes.Schedule(app=current_app)
    assert running.schedule["sweep"].schedule.run_every.total_seconds() != 77
    row = PeriodicTask.objects.get(name="sweep")
    interval = IntervalSchedule.objects.create(every=77, period="seconds")
    form = {
        "name": row.name,
        "regtask": row.task,
        "interval": interval.pk,
        "enabled": "on",
        "args": row.args,
        "kwargs": row.kwargs,
        "headers": "{}",
    }
    answer = admin_client.post(reverse("admin:django_celery_beat_periodictask_change", args=[row.pk]), form)
    assert answer.status_code == 302, answer.context["errors"]
    assert running.schedule["sweep"].schedule.run_every.total_seconds() == 77


def test_the_result_of_a_task_that_keeps_one_is_a_row():
    current_app.backend.store_result("task-1", {"done": 7}, "SUCCESS")
    assert (TaskResult.objects.get().task_id, current_app.AsyncResult("task-1").result) == ("task-1", {"done": 7})
