"""Looks at services and writes down how they stand. Called by the duty, by whoever asks for a check, and by the deeds that wait."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.acts.texts import storable
from config.kernel.desk import options
from config.kernel.flow import clock, events
from config.kernel.flow.errors import capture
from healing.enums import Health, ServiceState
from healing.models import Service
from healing.services import health
from healing.services.health import Checked

AT_ONCE = 8
MOST_PIDS = 64
# More than any database column takes is no number of instances.
MOST_COUNTED = 2**31 - 1


@dataclass(frozen=True)
class Seen:
    """What one look found: what the controller says, and what the health check says."""

    standing: Standing
    checked: Checked

    @property
    def is_well(self) -> bool:
        """Whether it runs and nothing speaks against its health."""
        return self.standing.state == ServiceState.RUNNING and self.checked.health in (Health.HEALTHY, Health.DISABLED)

    @property
    def sentence(self) -> str:
        """Both, for a person."""
        said = (f"It is {self.standing.state}", self.standing.detail, self.checked.detail)
        return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in said if text)


def check(service: Service) -> Seen:
    """Look now and write it down."""
    seen = look(service, controllers.all().get(service.controller))
    record(service, seen)
    return seen


def look(service: Service, controller: Controller | None) -> Seen:
    """Ask the controller and the health check. Touches no row, so that many may be looked at beside each other; never raises."""
    standing = Standing(ServiceState.UNKNOWN, detail=f"The controller {service.controller} is not installed here.")
    if controller is not None:
        with capture("service.status_failed", service=service.name) as caught:
            standing = controller.status(service.params or {})
        if caught.error:
            standing = Standing(ServiceState.UNKNOWN, detail=f"The controller failed ({type(caught.error).__name__}); the log says why.")
    checked = Checked(Health.UNKNOWN, "The check failed; the log says why.")
    with capture("service.health_failed", service=service.name):
        checked = health.check(service)
    return Seen(standing, checked)


@transaction.atomic
def record(service: Service, seen: Seen) -> bool:
    """Write down how it stands; announce it when that is news. Whether it was."""
    row = Service.objects.select_for_update().get(pk=service.pk)
    status, condition = ServiceState(seen.standing.state), Health(seen.checked.health)
    status_before, health_before = row.status, row.health
    is_news = row.deleted_at is None and (status_before, health_before) != (status, condition)
    now = clock.now()
    instances = seen.standing.instances if (seen.standing.instances or 0) <= MOST_COUNTED else None
    changes = {
        "status": status,
        "status_detail": storable.text(seen.standing.detail[:500]),
        "status_since": now if status != status_before or row.status_since is None else row.status_since,
        "health": condition,
        "health_detail": storable.text(seen.checked.detail[:500]),
        "instances": instances,
        "pids": list(seen.standing.pids[:MOST_PIDS]),
        "checked_at": now,
    }
    for name, value in changes.items():
        setattr(row, name, value)
        setattr(service, name, value)
    row.save(update_fields=list(changes))
    if is_news:
        data = {
            "service_id": row.uid,
            "service": row.name,
            "status": status,
            "status_before": status_before,
            "health": condition,
            "health_before": health_before,
            "instances": instances,
            "detail": storable.text(seen.sentence[:500]),
        }
        events.publish("service.status_changed", subject=row, data=data)
    return is_news


def due_count(now: datetime) -> int:
    """How many services are to be looked at."""
    return Service.living.filter(next_look_at__lte=now).count()


def work(now: datetime, limit: int) -> int:
    """Look at those that are due, several at once; how many that were."""
    mine = _claim(now, limit)
    if not mine:
        return 0
    found = controllers.all()
    with ThreadPoolExecutor(min(AT_ONCE, len(mine)), thread_name_prefix="steward-look") as pool:
        looks = list(pool.map(lambda one: look(one, found.get(one.controller)), mine))
    for service, seen in zip(mine, looks, strict=True):
        with capture("service.record_failed", service=service.name):
            record(service, seen)
    return len(mine)


def _claim(now: datetime, limit: int) -> Sequence[Service]:
    """Those that are due, each taken by one worker only."""
    after = now + timedelta(seconds=options.get("SERVICE_CHECK_SECONDS"))
    due = Service.living.filter(next_look_at__lte=now).order_by("next_look_at", "id")[:limit]
    return [one for one in due if _take(one, after)]


def _take(service: Service, after: datetime) -> bool:
    """Whoever moves its next look further owns this one."""
    return bool(Service.living.filter(pk=service.pk, next_look_at=service.next_look_at).update(next_look_at=after))
