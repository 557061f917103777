"""`manage.py services …`: what is looked after, how it stands, and asking for a restart or another number."""

from collections.abc import Mapping
from typing import Any

from config.acts.models import Invocation
from config.kernel.management.deeds import Deed, DeedCommand, json_object, number
from healing.enums import HealthKind
from healing.models import Service
from healing.services import asking, services, standing

OWNER, CALLER = "system", "command"
SETTINGS = (*services.CHANGEABLE, "dependencies")


def row(service: Service) -> dict[str, Any]:
    """A service as a list shows it."""
    return {
        "name": service.name,
        "status": service.status,
        "health": service.health,
        "instances": service.instances,
        "controller": service.controller,
        "checked_at": service.checked_at,
    }


def whole(service: Service) -> dict[str, Any]:
    """All of it, secrets masked."""
    shown = {name: getattr(service, name) for name in services.CHANGEABLE if name != "params"}
    below = [one.name for one in service.dependencies.all()]
    seen = {"status_detail": service.status_detail, "health_detail": service.health_detail, "pids": service.pids}
    return {"id": service.uid, **shown, "params": services.shown_params(service), "dependencies": below, **row(service), **seen}


def register(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new one."""
    return whole(services.register(**_settings(given)))


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, changed."""
    fields = {name: value for name, value in _settings(given).items() if name != "name"}
    return whole(services.update(services.find(given["name"]), **fields))


def delete(given: Mapping[str, Any]) -> dict[str, Any]:
    """Watched no more."""
    service = services.find(given["name"])
    return {"name": service.name, "changed": services.delete(service)}


def check(given: Mapping[str, Any]) -> dict[str, Any]:
    """Looked at now."""
    service = services.find(given["name"])
    seen = standing.check(service)
    return {**row(service), "pids": service.pids, "detail": seen.sentence}


def restart(given: Mapping[str, Any]) -> dict[str, Any]:
    """Asked for."""
    return asked(asking.restart(services.find(given["name"]), owner=OWNER, caller=CALLER))


def scale(given: Mapping[str, Any]) -> dict[str, Any]:
    """Asked for."""
    service = services.find(given["name"])
    return asked(asking.scale(service, owner=OWNER, caller=CALLER, instances=given["instances"], scale_factor=given["factor"]))


def asked(call: Invocation) -> dict[str, Any]:
    """The call, whose row says what becomes of it."""
    return {"invocation": call.uid, "action": call.action, "status": call.status, "target": call.target}


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in SETTINGS if given.get(name) is not None}


NAME: dict[str, dict[str, Any]] = {"name": {"help": "Its name or id."}}
SWITCH = {"action": "store_true", "default": None}
WORDS: dict[str, dict[str, Any]] = {
    "--description": {"help": "For people."},
    "--params": {"type": json_object, "help": "What the controller must know, a JSON object."},
    "--dependencies": {"nargs": "*", "metavar": "NAME", "help": "What it stands on."},
    "--min-instances": {"type": number(0, services.MOST_INSTANCES), "help": "The least there may be; 1 when left out."},
    "--max-instances": {"type": number(0, services.MOST_INSTANCES), "help": "The most there may be; 1 when left out."},
    "--health-kind": {"choices": HealthKind.values, "help": "How its health is checked."},
    "--health-target": {"help": "A URL for http, host:port for tcp."},
    "--health-expected-status": {"type": number(100, 599), "help": "The status that means healthy; 200 when left out."},
    "--health-timeout-seconds": {"type": number(0.1, 60, kind=float), "help": "For one check; 5 when left out."},
    "--may-be-restarted": {**SWITCH, "help": "Let the action healing.restart_service restart it."},
    "--may-not-be-restarted": {"action": "store_false", "dest": "may_be_restarted", "default": None, "help": "Take that back."},
    "--may-be-scaled": {**SWITCH, "help": "Let the action healing.scale_service scale it."},
    "--may-not-be-scaled": {"action": "store_false", "dest": "may_be_scaled", "default": None, "help": "Take that back."},
}
MANY = {
    "--instances": {"type": number(0, services.MOST_INSTANCES), "help": "How many there shall be."},
    "--factor": {"type": number(0.01, 100, kind=float), "help": "Instead: how many times as many as now, rounded up."},
}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "Put services under watch, change, check, restart, scale and let go of them."
    deeds = {
        "list": Deed("All services.", lambda given: [row(one) for one in Service.living.order_by("name")]),
        "show": Deed("One service, its secrets masked.", lambda given: whole(services.find(given["name"])), NAME),
        "register": Deed(
            "Put a service under watch.",
            register,
            {**NAME, "--controller": {"required": True, "help": "Such as healing.supervisor."}, **WORDS},
        ),
        "change": Deed("Change a service; what is left out stays.", change, {**NAME, "--controller": {"help": "Another one."}, **WORDS}),
        "check": Deed("Look at it now.", check, NAME),
        "restart": Deed("Ask for a restart; a worker does it.", restart, NAME),
        "scale": Deed("Ask for another number of instances; a worker does it.", scale, {**NAME, **MANY}),
        "delete": Deed("Watch it no more; it goes on running.", delete, NAME),
    }
