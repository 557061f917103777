"""Values that a Prometheus server knows, where PROMETHEUS_URL names one: each of PROMETHEUS_QUERIES is a series of ours.

A query named like one of our own series (`cpu_usage=…`) takes its place, also while Prometheus is away: then it is a gap.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from django.conf import settings

from config.kernel.desk import options
from config.kernel.flow.errors import TemporaryError, capture
from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.wire import http

TIMEOUT_SECONDS = 1.5
MAX_REPLY_BYTES = 1024 * 1024


class Prometheus(Sampler):
    """Instant queries of the HTTP API (`/api/v1/query`), all at once; a query must come to one number."""

    title = "Prometheus"
    overrides = True

    def facts(self) -> Sequence[Fact]:
        """Nothing without PROMETHEUS_URL; the unit of a name is whatever the query gives."""
        if not settings.PROMETHEUS_URL:
            return ()
        return tuple(Fact(name, about=f"Prometheus: {query}") for name, query in queries().items())

    def measure(self) -> Mapping[str, float | None]:
        """A query without a sample is a gap, and so is one that fails, whose reason is in the log."""
        if not settings.PROMETHEUS_URL:
            return {}
        asked, found = queries(), dict[str, float | None]()
        for name, reply in _replies(asked).items():
            with capture("prometheus.query_failed", log_every_seconds=60, name=name):
                found[name] = value(reply, asked[name])
        return found


def queries() -> dict[str, str]:
    """Name → PromQL, as PROMETHEUS_QUERIES lists them: `name=promql`."""
    pairs = (line.partition("=") for line in options.get("PROMETHEUS_QUERIES"))
    return {name.strip(): query.strip() for name, _, query in pairs if name.strip() and query.strip()}


def value(reply: http.Reply, query: str) -> float | None:
    """The number that the answer to `query` holds; None for no sample. Raises TemporaryError when it holds none, with the reason."""
    if reply.status is None:
        raise TemporaryError(f"Prometheus does not answer: {reply.error} Check PROMETHEUS_URL.")
    try:
        answer = orjson.loads(reply.body)
        if answer["status"] != "success":
            raise TemporaryError(f"Prometheus refuses the query {query!r}: {answer.get('error', 'no reason given')}.")
        return _number(answer["data"]["resultType"], answer["data"]["result"], query)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise TemporaryError(f"PROMETHEUS_URL answered {reply.status} with what is no reply of Prometheus. Check the address.") from error


def _replies(asked: Mapping[str, str]) -> dict[str, http.Reply]:
    """All queries at once; those that were answered in time."""
    found: dict[str, http.Reply] = {}
    complete = threading.Event()

    def take(name: str, reply: http.Reply) -> None:
        found[name] = reply
        if len(found) == len(asked):
            complete.set()

    if asked:
        http.submit_all([(name, _request(query)) for name, query in asked.items()], take)
        complete.wait(TIMEOUT_SECONDS + 0.2)
    return dict(found)


def _request(query: str) -> http.Request:
    token = {"Authorization": f"Bearer {settings.PROMETHEUS_TOKEN}"} if settings.PROMETHEUS_TOKEN else {}
    return http.Request(
        "POST",
        f"{settings.PROMETHEUS_URL}/api/v1/query",
        headers={"Content-Type": "application/x-www-form-urlencoded", **token},
        body=urlencode({"query": query, "timeout": f"{TIMEOUT_SECONDS:g}s"}).encode(),
        timeout_seconds=TIMEOUT_SECONDS,
        max_reply_bytes=MAX_REPLY_BYTES,
        is_operator_target=True,
    )


def _number(kind: str, result: Any, query: str) -> float | None:
    """Of a scalar `[time, "value"]`, or of a vector with one sample."""
    if kind == "scalar":
        return float(result[1])
    if kind != "vector" or len(result) > 1:
        raise TemporaryError(f"The query {query!r} comes to {len(result)} series of type {kind}. Sum them, or pick one.")
    return float(result[0]["value"][1]) if result else None


samplers.register("automation.prometheus", Prometheus(), module=__name__)
