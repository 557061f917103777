"""`manage.py metrics …`: what is measured, how it stands and what it did."""

from collections.abc import Mapping
from typing import Any

from automation.services import metrics
from config.kernel.flow import clock
from config.kernel.management.deeds import Deed, DeedCommand, moment, number
from config.kernel.series import sampling

NAME = {"name": {"help": "Name of a series, such as cpu_usage."}}
PERIOD: dict[str, dict[str, Any]] = {
    "--since": {"type": moment, "metavar": "TIME", "help": "ISO 8601; an hour before the end when left out."},
    "--until": {"type": moment, "metavar": "TIME", "help": "ISO 8601; now when left out."},
    "--seconds": {"type": number(0, 86400), "metavar": "N", "help": "Length of the spans; chosen when left out, 0 for single samples."},
}


def row(one: metrics.Reading) -> dict[str, Any]:
    """A series as this command shows it."""
    return {"name": one.name, "value": one.value, "unit": one.fact.unit, "about": one.fact.about}


def show(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of one series."""
    one = metrics.reading(given["name"])
    since, until = metrics.period(given["since"], given["until"])
    _, points = metrics.history(one.name, since, until, seconds=given["seconds"])
    return [vars(point) for point in points]


def sample(given: Mapping[str, Any]) -> dict[str, Any]:
    """Measure now, unless the present interval has its sample."""
    is_new = sampling.tick(clock.now())
    found = metrics.standing()
    measured = sum(one.value is not None for one in found.readings)
    return {"is_new": is_new, "sampled_at": found.at, "age_seconds": found.age_seconds, "values": measured}


class Command(DeedCommand):
    """Reads what the schedule measures; `sample` measures by hand."""

    help = "List measured series, show what one did, take a sample."
    deeds = {
        "list": Deed("Every series with its last value.", lambda given: [row(one) for one in metrics.standing().readings]),
        "show": Deed("What one series did.", show, {**NAME, **PERIOD}),
        "sample": Deed("Measure now, unless the present interval has its sample already.", sample),
    }
