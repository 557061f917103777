"""Asks for a restart or another number, as everybody must: by the action's key. Called by API, admin, dashboard and command."""

from config.acts.models import Invocation
from config.acts.running import invocations
from healing.models import Service

RESTART, SCALE = "healing.restart_service", "healing.scale_service"


def restart(service: Service, *, owner: str, caller: str) -> Invocation:
    """Have it restarted soon; the row says what became of it. Raises Forbidden when `owner` may not run standard actions."""
    return invocations.call(RESTART, {"service": service.name}, owner=owner, caller=caller)


def scale(service: Service, *, owner: str, caller: str, instances: int | None = None, scale_factor: float | None = None) -> Invocation:
    """Have another number of it soon. Raises InvalidInput unless exactly one of the two is given, and Forbidden as `restart`."""
    given = {"service": service.name, "instances": instances, "scale_factor": scale_factor}
    params = {name: value for name, value in given.items() if value is not None}
    return invocations.call(SCALE, params, owner=owner, caller=caller)


def recent(service: Service, *, limit: int = 10) -> list[Invocation]:
    """What was asked of it last, newest first, by whomever."""
    return list(Invocation.objects.filter(target=f"service:{service.name}").order_by("-id")[:limit])
