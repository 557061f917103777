"""The built-in schedule, as django-celery-beat rows that people may edit. Written after migrating, a changed row is left alone."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from config.kernel.desk import options

# Marks a row as ours; a row whose description a person changed, or any other part of it, is not written again.
OURS = "Built in."


@dataclass(frozen=True)
class Periodic:
    """A task and when it runs: every `seconds`, or at `crontab` (five fields)."""

    name: str
    task: str
    seconds: float = 0
    crontab: str = ""
    args: list[str] = field(default_factory=list)
    about: str = ""
    option: str = ""


_declared: dict[str, Periodic] = {}


def every(seconds: float, name: str, *, task: str = "kernel.work", args: tuple[str, ...] = (), about: str = "", option: str = "") -> None:
    """Declare a task that runs every `seconds`; for a duty, `args` is its key. With a live `option` its value is the interval."""
    if option:
        about = f"{about} Its interval is the option {option}, wherever that is changed."
        options.when_changed(option, follow)
    _declared[name] = Periodic(name, task, seconds=seconds, args=list(args), about=about, option=option)


def daily(crontab: str, name: str, *, task: str = "kernel.work", args: tuple[str, ...] = (), about: str = "") -> None:
    """Declare a task that runs at `crontab`: minute hour day month weekday, in TIME_ZONE."""
    _declared[name] = Periodic(name, task, crontab=crontab, args=list(args), about=about)


def load() -> int:
    """Write the rows that are missing; how many were."""
    made = 0
    for one in _declared.values():
        made += PeriodicTask.objects.get_or_create(name=one.name, defaults=_values(one))[1]
    if made:
        PeriodicTasks.update_changed()
    return made


def follow() -> None:
    """Give the rows whose interval is an option its present value. Called when one changed, and by beat when it starts."""
    for one in (one for one in _declared.values() if one.option):
        values, rows = _values(one), PeriodicTask.objects.filter(name=one.name, description__startswith=OURS)
        for row in rows.exclude(interval=values["interval"]):
            row.interval, row.expire_seconds = values["interval"], values["expire_seconds"]
            row.save()  # its signal tells a running beat


def _values(one: Periodic) -> dict[str, Any]:
    values: dict[str, Any] = {"task": one.task, "args": json.dumps(one.args), "description": f"{OURS} {one.about}".strip()}
    if one.crontab:
        minute, hour, day, month, weekday = one.crontab.split()
        fields = {"minute": minute, "hour": hour, "day_of_month": day, "month_of_year": month, "day_of_week": weekday}
        values["crontab"] = CrontabSchedule.objects.get_or_create(**fields, timezone=settings.TIME_ZONE)[0]
        values["expire_seconds"] = 3600
    else:
        seconds = max(1, round(options.get(one.option) if one.option else one.seconds))
        values["interval"] = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)[0]
        # A message that is older than its interval is of no use: the next one says the same.
        values["expire_seconds"] = seconds
    return values


every(settings.SWEEP_SECONDS, "sweep", task="kernel.sweep", about="Finds work whose nudge was lost.")
every(3600, "tidy", args=("kernel.tidy",), about="Removes what has outlived its retention.")
