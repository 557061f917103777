"""Counts end up in rows that all processes share, and on the metrics page."""

import ast
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError
from prometheus_client.parser import text_string_to_metric_families

from config.kernel.models import Tally
from config.kernel.watch import metrics
from config.kernel.watch.metric_names import DECLARED

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch):
    monkeypatch.setattr(metrics, "_memory", metrics._Memory())


def value(name, **labels):
    return Tally.objects.get(name=name, labels=metrics._text(labels)).value


def page():
    return {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}


def test_nothing_is_written_before_the_flush():
    metrics.count("webhook_dead_letters_total")
    assert not Tally.objects.exists()


def test_flush_adds_increments_to_what_other_processes_counted():
    Tally.objects.create(name="webhook_dead_letters_total", labels="", value=5)
    metrics.count("webhook_dead_letters_total")
    metrics.count("webhook_dead_letters_total", 2)
    assert metrics.flush() == 1
    assert value("webhook_dead_letters_total") == 8


def test_flush_without_counts_touches_no_row(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert metrics.flush() == 0


def test_each_set_of_labels_has_its_own_row():
    metrics.count("webhook_deliveries_total", outcome="delivered")
    metrics.count("webhook_deliveries_total", outcome="failed")
    metrics.flush()
    assert Tally.objects.filter(name="webhook_deliveries_total").count() == 2


def test_many_rows_are_written_in_one_statement_per_chunk(django_assert_max_num_queries):
    for number in range(metrics.CHUNK):
        metrics.count("tasks_total", task=str(number), outcome="done")
    with django_assert_max_num_queries(3):
        metrics.flush()
    assert Tally.objects.count() == metrics.CHUNK


def test_increments_survive_a_database_that_is_away(monkeypatch):
    metrics.count("webhook_dead_letters_total")
    with monkeypatch.context() as away:
        away.setattr(metrics, "_add", lambda rows: (_ for _ in ()).throw(DatabaseError("away")))
        assert metrics.flush() == 0
    metrics.count("webhook_dead_letters_total")
    metrics.flush()
    assert value("webhook_dead_letters_total") == 2


def test_counts_of_many_threads_all_arrive():
    def work():
        for _ in range(500):
            metrics.count("webhook_dead_letters_total")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.flush()
    assert value("webhook_dead_letters_total") == 2000


def test_histogram_buckets_are_cumulative():
    metrics.observe("webhook_processing_seconds", 0.3, source="github")
    metrics.observe("webhook_processing_seconds", 0.02, source="github")
    samples = {sample.labels.get("le", sample.name): sample.value for sample in page()["webhook_processing_seconds"].samples}
    assert (samples["0.01"], samples["0.025"], samples["0.25"], samples["0.5"], samples["+Inf"]) == (0, 1, 1, 2, 2)
    assert samples["webhook_processing_seconds_sum"] == pytest.approx(0.32)


def test_page_shows_counts_of_this_process_at_once():
    metrics.count("webhook_events_received_total", 10, source="github", outcome="accepted")
    metrics.count("webhook_events_received_total", source="github", outcome="rejected")
    samples = {sample.labels["outcome"]: sample.value for sample in page()["webhook_events_received"].samples}
    assert samples == {"accepted": 10, "rejected": 1}


def test_every_metric_on_the_page_has_help():
    assert all(family.documentation for family in page().values())


def test_counter_without_labels_is_there_before_its_first_event():
    assert [sample.value for sample in page()["webhook_dead_letters"].samples] == [0]


def test_gauge_is_computed_at_scrape(monkeypatch):
    monkeypatch.setattr(metrics, "_gauges", {})
    numbers = iter([1, 2])
    metrics.gauge("something_waiting", "How many wait.")(lambda: next(numbers))
    assert [page()["something_waiting"].samples[0].value for _ in range(2)] == [1, 2]


def test_gauge_that_fails_leaves_the_others_on_the_page(monkeypatch):
    monkeypatch.setattr(metrics, "_gauges", {})
    metrics.gauge("broken", "Never works.")(lambda: 1 / 0)
    metrics.gauge("by_queue", "By queue.", label="queue")(lambda: {"default": 3})
    found = page()
    assert "broken" not in found
    assert found["by_queue"].samples[0].labels == {"queue": "default"}


def test_name_taken_twice_is_refused():
    with pytest.raises(ValueError, match="already"):
        metrics.gauge("tasks_total", "Taken.")


def test_overlong_label_does_not_stop_later_flushes():
    metrics.count("tasks_total", task="x" * 5000, outcome="done")
    assert metrics.flush() == 1


def test_declared_metrics_are_those_that_the_code_counts():
    used = set()
    for app in ("config", "webhooks", "automation", "workflows", "healing"):
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            used |= set(_names_counted(path))
    assert used == set(DECLARED), "metric_names.py lists what the code counts, no more and no less"


def _names_counted(path):
    deeds = ("metrics.count", "metrics.observe", "metrics.observe_many")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in deeds and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value
