"""Counts and durations: added up in memory, flushed to `Tally` rows that all processes share, drawn for Prometheus.
Called from everywhere with a name out of `metric_names`; `/metrics` calls `render`."""

import json
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from multiprocessing.util import Finalize

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection, transaction
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from config.kernel.desk import connections
from config.kernel.flow.errors import capture
from config.kernel.models import Tally
from config.kernel.watch.metric_names import BUCKETS, DECLARED

log = logging.getLogger("kernel.metrics")

CHUNK = 200
MAX_LABEL = 60
Sample = tuple[str, str]
"""A name and its labels as sorted JSON: one row."""
Row = tuple[str, str, float]
"""A sample and its value."""
Measured = float | Mapping[str, float]
Observed = tuple[str, tuple[tuple[str, str], ...]]
"""A histogram and its labels."""


@dataclass(frozen=True)
class Gauge:
    """A figure computed when the page is drawn: a number, or a number for each value of `label`."""

    help: str
    measure: Callable[[], Measured]
    label: str = ""


@dataclass
class _Memory:
    """What this process has counted since it last wrote."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    increments: dict[Sample, float] = field(default_factory=lambda: defaultdict(float))
    durations: dict[Observed, list[float]] = field(default_factory=lambda: defaultdict(list))
    flusher: threading.Thread | None = None


_memory = _Memory()
_gauges: dict[str, Gauge] = {}
_also: list[Callable[[], None]] = []


def count(name: str, amount: float = 1, **labels: str) -> None:
    """Add `amount` (not negative) to the counter `name` with these labels."""
    sample = (name, _text(labels))
    with _memory.lock:
        _memory.increments[sample] += amount
    _ensure_flusher()


def observe(name: str, seconds: float, **labels: str) -> None:
    """Add one duration to the histogram `name`."""
    observe_many(name, (seconds,), **labels)


def observe_many(name: str, durations: Sequence[float], **labels: str) -> None:
    """Add several durations (seconds) to the histogram `name`. They are sorted into buckets when they are written, not one by one."""
    with _memory.lock:
        _memory.durations[name, tuple(labels.items())].extend(durations)
    _ensure_flusher()


def gauge(name: str, help_text: str, *, label: str = "") -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
    """Decorator: have `name` computed by this function at every scrape. Raises ValueError for a name taken twice."""
    if name in _gauges or name in DECLARED:
        raise ValueError(f"there is a metric {name!r} already")

    def add(measure: Callable[[], Measured]) -> Callable[[], Measured]:
        _gauges[name] = Gauge(help_text, measure, label)
        return measure

    return add


def also_at_flush(write: Callable[[], None]) -> None:
    """Have `write` called whenever counts are written. It must not raise."""
    _also.append(write)


def flush() -> int:
    """Write this process's increments; how many rows were touched. When the database is away they are kept for the next time."""
    for write in _also:
        write()
    with _memory.lock:
        taken, _memory.increments = _memory.increments, defaultdict(float)
        observed, _memory.durations = _memory.durations, defaultdict(list)
    for (name, labels), durations in observed.items():
        for sample, amount in _histogram(name, dict(labels), durations):
            taken[sample] += amount
    if not taken:
        return 0
    try:
        _add(sorted(taken.items()))
    except AnyDatabaseError as error:
        _give_back(taken)
        log.warning("metrics.flush_failed", extra={"context": {"rows": len(taken), "error": type(error).__name__}})
        return 0
    return len(taken)


def render() -> bytes:
    """All metrics in Prometheus' text format 0.0.4. Raises django.db.Error when the tallies cannot be read."""
    flush()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    return generate_latest(registry)


class _Collector:
    """Hands the tallies and the gauges of this moment to prometheus_client."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        found = _samples_by_metric()
        for name, declared in DECLARED.items():
            yield _metric(name, declared.kind, declared.help, found.pop(name, []), has_labels=bool(declared.labels))
        for name, samples in found.items():
            yield _metric(name, "unknown", "Not declared.", samples, has_labels=True)
        for name, shown in _gauges.items():
            with capture("metrics.gauge_failed", gauge=name):
                yield _gauge_metric(name, shown)


def _metric(name: str, kind: str, help_text: str, samples: list[Row], *, has_labels: bool) -> Metric:
    metric = Metric(name.removesuffix("_total") if kind == "counter" else name, help_text, kind)
    if kind == "histogram":
        samples = _whole_histogram(name, samples)
    elif kind == "counter" and not samples and not has_labels:
        samples = [(name, "", 0.0)]  # a rate over a counter that appears with its first event misses that event
    for sample, labels, value in samples:
        metric.add_sample(sample, json.loads(labels) if labels else {}, value)
    return metric


def _whole_histogram(name: str, samples: list[Row]) -> list[Row]:
    """Every bucket from small to large for each set of labels, also those that hold nothing, then count and sum."""
    found = {(sample, labels): value for sample, labels, value in samples}
    whole: list[Row] = []
    for text in sorted(labels for sample, labels in found if sample == f"{name}_count"):
        labels = json.loads(text) if text else {}
        buckets = [(f"{name}_bucket", _text({**labels, "le": bound})) for bound in [*map(str, BUCKETS), "+Inf"]]
        keys = [*buckets, (f"{name}_count", text), (f"{name}_sum", text)]
        whole += [(*key, found.get(key, 0.0)) for key in keys]
    return whole


def _gauge_metric(name: str, shown: Gauge) -> Metric:
    metric, measured = Metric(name, shown.help, "gauge"), shown.measure()
    for value, number in measured.items() if isinstance(measured, Mapping) else [("", measured)]:
        metric.add_sample(name, {shown.label: value} if shown.label else {}, float(number))
    return metric


def _histogram(name: str, labels: Mapping[str, str], durations: Sequence[float]) -> Iterator[tuple[Sample, float]]:
    """Every bucket that holds some of them, the sum and the count."""
    bounds = [*((str(bound), sum(seconds <= bound for seconds in durations)) for bound in BUCKETS), ("+Inf", len(durations))]
    yield from (((f"{name}_bucket", _text({**labels, "le": bound})), amount) for bound, amount in bounds if amount)
    yield (f"{name}_sum", _text(labels)), sum(durations)
    yield (f"{name}_count", _text(labels)), len(durations)


def _samples_by_metric() -> dict[str, list[Row]]:
    rows = sorted(Tally.objects.values_list("name", "labels", "value"), key=lambda row: _metric_of(row[0]))
    return {name: list(samples) for name, samples in groupby(rows, key=lambda row: _metric_of(row[0]))}


def _metric_of(sample: str) -> str:
    for suffix in ("_bucket", "_sum", "_count"):
        name = sample.removesuffix(suffix)
        if name != sample and name in DECLARED:
            return name
    return sample


def _text(labels: Mapping[str, str]) -> str:
    return _json(tuple(labels.items())) if labels else ""


@lru_cache(maxsize=4096)
def _json(labels: tuple[tuple[str, str], ...]) -> str:
    """Remembered: a histogram writes fifteen of these for every request."""
    # A value too long for the column would make every later flush fail.
    short = {name: str(value)[:MAX_LABEL] for name, value in labels}
    return json.dumps(short, sort_keys=True, separators=(",", ":"))


def _add(rows: list[tuple[Sample, float]]) -> None:
    """One statement per chunk, in the order of the key so that two processes never wait for each other crosswise."""
    table = connection.ops.quote_name(Tally._meta.db_table)
    with transaction.atomic():
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            places = ", ".join(["(%s, %s, %s)"] * len(chunk))
            statement = (
                f"INSERT INTO {table} (name, labels, value) VALUES {places} "  # noqa: S608 - the table is our own
                f"ON CONFLICT (name, labels) DO UPDATE SET value = {table}.value + excluded.value"
            )
            with connection.cursor() as cursor:
                cursor.execute(statement, [part for (name, labels), value in chunk for part in (name, labels, value)])


def _give_back(taken: Mapping[Sample, float]) -> None:
    with _memory.lock:
        for sample, amount in taken.items():
            _memory.increments[sample] += amount


def _ensure_flusher() -> None:
    """A thread of this process that writes every METRICS_FLUSH_SECONDS (0: only explicit flushes)."""
    if _memory.flusher is not None or not settings.METRICS_FLUSH_SECONDS:
        return
    with _memory.lock:
        if _memory.flusher is not None:
            return
        _memory.flusher = threading.Thread(target=_flush_for_ever, name="metrics", daemon=True)
    _memory.flusher.start()
    # Runs at exit of a main process and of a multiprocessing child alike, which atexit does not.
    Finalize(None, _flush_last, exitpriority=10)


def _flush_for_ever() -> None:
    pause = threading.Event()
    while not pause.wait(settings.METRICS_FLUSH_SECONDS):
        with capture("metrics.flusher_failed"):
            connections.heed()
            flush()


def _flush_last() -> None:
    with capture("metrics.last_flush_failed"):
        flush()


def _forget_parent() -> None:
    """After a fork the child has neither the parent's thread nor a right to its counts."""
    _memory.lock, _memory.increments, _memory.flusher = threading.Lock(), defaultdict(float), None


os.register_at_fork(after_in_child=_forget_parent)
