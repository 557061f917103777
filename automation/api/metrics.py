"""`/api/v1/system/metrics`: how everything stands that is measured, and what one series did."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.services import metrics
from config.doors.api import Moment, View
from config.doors.filters import moment
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.kernel.series import store

SEE = "metrics:view"
PERIOD = [
    OpenApiParameter("since", str, description="ISO 8601; an hour before `until` when left out."),
    OpenApiParameter("until", str, description="ISO 8601; now when left out."),
    OpenApiParameter("seconds", int, description="Length of the spans; chosen for about 500 points when left out. 0 gives single samples."),
]


class MetricOut(serializers.Serializer[Any]):
    """One series as it stood at the last sample; `value` is null where that has a gap."""

    value = serializers.FloatField(allow_null=True)
    unit = serializers.CharField(help_text="`%` from 0 to 100, `s`, `bytes`, `/s`, `bytes/s`, or empty for a count.")
    about = serializers.CharField()
    sampled_at = Moment(allow_null=True)
    age_seconds = serializers.FloatField(allow_null=True)
    history = serializers.CharField(help_text="Where its points are.")


class RatesOut(serializers.Serializer[Any]):
    """Per second, since the sample before."""

    events_per_second = serializers.FloatField(allow_null=True)
    requests_per_second = serializers.FloatField(allow_null=True)
    receipts_per_second = serializers.FloatField(allow_null=True)
    deliveries_per_second = serializers.FloatField(allow_null=True)
    tasks_per_second = serializers.FloatField(allow_null=True)


class MetricsOut(serializers.Serializer[Any]):
    """The first of them by name, then all. Null is what could not be measured, never a zero."""

    sampled_at = Moment(allow_null=True)
    age_seconds = serializers.FloatField(allow_null=True)
    interval_seconds = serializers.IntegerField()
    is_stale = serializers.BooleanField(help_text="Nothing was measured for several intervals.")
    cpu_usage = serializers.FloatField(allow_null=True)
    memory_usage = serializers.FloatField(allow_null=True)
    disk_usage = serializers.FloatField(allow_null=True)
    queue_depth = serializers.FloatField(allow_null=True)
    active_users = serializers.FloatField(allow_null=True)
    response_time = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField(allow_null=True)
    rates = RatesOut()
    metrics = serializers.DictField(child=MetricOut())


class PointOut(serializers.Serializer[Any]):
    """The mean, the extremes and the number of samples in the span that begins at `at`."""

    at = Moment()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    count = serializers.IntegerField()


class HistoryOut(MetricOut):
    """One series over time, oldest first; where nothing was measured there is no point."""

    name = serializers.CharField()
    since = Moment()
    until = Moment()
    seconds = serializers.IntegerField(help_text="Length of a point's span; 0 for single samples.")
    points = PointOut(many=True)


class Metrics(View):
    """`GET /api/v1/system/metrics`."""

    scope = SEE
    schema_tags = ("metrics",)

    @extend_schema(responses=MetricsOut, summary="Read how everything stands that is measured")
    def get(self, request: Request) -> Response:
        """As of the last sample, at most AUTOMATION_CHECK_INTERVAL old while the schedule runs; `age_seconds` says how old."""
        found = metrics.standing()
        first = [name for name in metrics.FIRST if name not in metrics.RATES]
        answer = {
            "sampled_at": found.at,
            "age_seconds": found.age_seconds,
            "interval_seconds": found.interval_seconds,
            "is_stale": found.is_stale,
            **{name: found.value(name) for name in first},
            "rates": {name: found.value(name) for name in metrics.RATES},
            "metrics": {one.name: _shown(one) for one in found.readings},
        }
        return Response(answer)


class AutonomousMetrics(Metrics):
    """`GET /api/autonomous/system/metrics`: another address of the same."""

    schema_tags = ("compatibility",)

    @extend_schema(operation_id="autonomous_system_metrics_retrieve", responses=MetricsOut, summary="Read the system's metrics")
    def get(self, request: Request) -> Response:
        """As of the last sample."""
        return super().get(request)


class OneMetric(View):
    """`GET /api/v1/system/metrics/{name}`."""

    scope = SEE
    schema_tags = ("metrics",)

    @extend_schema(
        operation_id="system_metrics_history_retrieve", responses=HistoryOut, parameters=PERIOD, summary="Read what one series did"
    )
    def get(self, request: Request, name: str) -> Response:
        """Samples where they are kept and few enough, else means of minutes or hours."""
        one = metrics.reading(name)
        since, until = metrics.period(_moment(request, "since"), _moment(request, "until"))
        seconds, points = metrics.history(name, since, until, seconds=_seconds(request))
        over = {"name": name, "since": since, "until": until, "seconds": seconds, "points": [vars(point) for point in points]}
        return Response({**over, **_shown(one)})


def _shown(one: metrics.Reading) -> dict[str, Any]:
    return {
        "value": one.value,
        "unit": one.fact.unit,
        "about": one.fact.about,
        "sampled_at": one.at,
        "age_seconds": round((clock.now() - one.at).total_seconds(), 3) if one.at else None,
        "history": f"/api/v1/system/metrics/{quote(one.name)}",
    }


def _moment(request: Request, name: str) -> datetime | None:
    given = request.query_params.get(name, "").strip()
    if not given:
        return None
    found = moment(given)
    if found is None:
        raise InvalidInput(
            f"`{name}`: {given[:80]!r} is no time. Write 2026-01-31T12:00:00Z.", fields={name: ["It is no time in ISO 8601."]}
        )
    return found


def _seconds(request: Request) -> int | None:
    given = request.query_params.get("seconds", "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 7):
        raise InvalidInput("`seconds` must be a whole number, 0 or more.", fields={"seconds": ["It is no whole number."]})
    step = int(given)
    if step % store.MINUTE and step > store.MINUTE:
        raise InvalidInput("`seconds` above 60 must be whole minutes.", fields={"seconds": ["It is no multiple of 60."]})
    return step
