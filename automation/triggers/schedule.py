"""`automation.schedule`: at the times of a cron line, or every so many seconds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils.dateparse import parse_datetime

from automation.engine import schedule
from automation.engine.schedule import Schedule
from config.acts.plugins.triggers import Trigger, Waking, triggers
from config.kernel.flow import clock
from config.look import words

# Later than this a time counts as missed: the schedule and the sweep look every few seconds.
GRACE_SECONDS = 90
CATCH_UP = (("last", "the last one, once"), ("all", "all of them"), ("none", "none"))


class ScheduleForm(forms.Form):
    """When, where, and what happens to times that were missed."""

    schedule = forms.CharField(
        required=False, max_length=100, help_text="Minute, hour, day of month, month, weekday: `0 2 * * *` is every night at two."
    )
    every_seconds = forms.IntegerField(required=False, min_value=1, max_value=31_536_000, help_text="Instead: every so many seconds.")
    time_zone = forms.CharField(required=False, max_length=64, help_text="Such as Europe/Brussels. Empty: the installation's TIME_ZONE.")
    catch_up = forms.ChoiceField(
        choices=CATCH_UP,
        required=False,
        help_text="What runs of the times that were missed. Empty: the last one. All of them run side by side only in a parallel rule.",
    )
    catch_up_minutes = forms.IntegerField(
        required=False, min_value=1, max_value=10_080, help_text="Only what was missed within so many minutes. Empty: 60."
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and (said := schedule.problem(_schedule(given), clock.now())):
            self.add_error("time_zone" if "time zone" in said else "schedule", said)
        return given


class AtTimes(Trigger):
    """The trigger."""

    title = "At set times"
    about = (
        "A cron line in a time zone, or a fixed pause. Daylight saving: a skipped time runs at the next valid minute, a repeated one once."
    )
    source = "schedule"
    wakes = "clock"
    Parameters = ScheduleForm

    def summary(self, params: Mapping[str, Any]) -> str:
        found = _schedule(params)
        return f"every {words.lasting(found.every_seconds)}" if found.every_seconds else schedule.said(found)

    def pace_seconds(self, params: Mapping[str, Any], now: datetime) -> int | None:
        gap = params.get("every_seconds") or _schedule(params).gap_seconds(now)
        return int(min(gap, 2**31 - 1))

    def begin(self, params: Mapping[str, Any], now: datetime) -> Waking:
        return _until_next(params, now)

    def due(self, params: Mapping[str, Any], state: Mapping[str, Any], now: datetime) -> Waking:
        after = parse_datetime(str(state.get("after", ""))) or now
        slots = schedule.due(
            _schedule(params),
            after=after,
            now=now,
            catch_up=params.get("catch_up") or "last",
            window_seconds=60.0 * (params.get("catch_up_minutes") or 60),
            grace_seconds=GRACE_SECONDS,
        )
        rest = _until_next(params, now)
        return Waking(
            slots=slots, reason="" if slots else "What was missed is too old to be made up for.", state=rest.state, due_at=rest.due_at
        )


def _until_next(params: Mapping[str, Any], now: datetime) -> Waking:
    return Waking(state={"after": clock.text(now)}, due_at=_schedule(params).after(now))


def _schedule(params: Mapping[str, Any]) -> Schedule:
    zone = params.get("time_zone") or settings.TIME_ZONE
    return Schedule(cron=params.get("schedule") or "", zone=zone, every_seconds=params.get("every_seconds") or 0)


triggers.register("automation.schedule", AtTimes(), module=__name__)
