"""Schedules of rules as django-celery-beat rows, editable there and on the rule. The row only nudges: when a rule is due is in RuleState.
Called by `rules`; a change made to such a row comes back through `take_over`."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from automation.enums import Mode
from automation.models import Rule
from config.kernel.flow import context

TRIGGER = "automation.schedule"
DUTY = "automation.due"
PREFIX = "rule "
NUDGE_SECONDS = 60
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def follow(rule: Rule) -> None:
    """Have the beat row say what the rule says; none for a rule with another trigger."""
    if rule.trigger != TRIGGER or rule.deleted_at is not None:
        drop(rule)
        return
    values: dict[str, Any] = {
        **_times(rule.trigger_params),
        "task": "kernel.work",
        "args": json.dumps([DUTY]),
        "enabled": rule.mode != Mode.OFF,
        "expire_seconds": 60,
        "description": f"Of the rule {rule.name}. Change the times here or on the rule.",
    }
    row = PeriodicTask.objects.filter(name=name_of(rule)).first()
    if row is not None and all(getattr(row, name) == value for name, value in values.items()):
        return
    PeriodicTask.objects.update_or_create(name=name_of(rule), defaults=values)
    PeriodicTasks.update_changed()


def drop(rule: Rule) -> None:
    """No row for this rule any more."""
    if PeriodicTask.objects.filter(name=name_of(rule)).delete()[0]:
        PeriodicTasks.update_changed()


def name_of(rule: Rule) -> str:
    """The name of its row."""
    return f"{PREFIX}{rule.uid}"


def take_over(row: PeriodicTask) -> None:
    """Somebody changed the row of a rule: the rule follows. What `follow` wrote itself changes nothing."""
    from automation.services import rules

    rule = Rule.living.filter(uid=row.name.removeprefix(PREFIX), trigger=TRIGGER).first() if row.name.startswith(PREFIX) else None
    if rule is None:
        return
    is_ours = {"crontab": row.crontab, "interval": row.interval} == _times(rule.trigger_params)
    params = rule.trigger_params if is_ours else {**rule.trigger_params, **_params(row)}
    mode = rule.mode if row.enabled == (rule.mode != Mode.OFF) else Mode.ON if row.enabled else Mode.OFF
    if params != rule.trigger_params or mode != rule.mode:
        with context.using(actor=context.current().actor):
            rules.update(rule, trigger_params=params, mode=mode)


def _times(params: dict[str, Any]) -> dict[str, Any]:
    if params.get("every_seconds"):
        interval = IntervalSchedule.objects.get_or_create(every=params["every_seconds"], period=IntervalSchedule.SECONDS)[0]
        return {"interval": interval, "crontab": None}
    zone = params.get("time_zone") or settings.TIME_ZONE
    minute, hour, day, month, weekday = params["schedule"].split()
    fields = dict(zip(FIELDS, (minute, hour, day, month, weekday), strict=True))
    found = CrontabSchedule.objects.filter(**fields, timezone=zone).first() or CrontabSchedule(**fields, timezone=zone)
    try:
        found.full_clean()
    except ValidationError:
        # `L`, `#` and the like, which we read and beat does not: it asks every minute then.
        return {
            "interval": IntervalSchedule.objects.get_or_create(every=NUDGE_SECONDS, period=IntervalSchedule.SECONDS)[0],
            "crontab": None,
        }
    if found.pk is None:
        # One that is there already stays as it is: saving it again would be a change, which every rule that shares it hears of.
        found.save()
    return {"crontab": found, "interval": None}


def _params(row: PeriodicTask) -> dict[str, Any]:
    if row.crontab is not None:
        cron = " ".join(str(getattr(row.crontab, name)) for name in FIELDS)
        return {"schedule": cron, "time_zone": str(row.crontab.timezone), "every_seconds": None}
    if row.interval is not None:
        return {"schedule": "", "every_seconds": max(1, round(row.interval.schedule.run_every.total_seconds()))}
    return {}
