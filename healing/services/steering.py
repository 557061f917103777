"""Restarting and scaling, each in steps that hold no worker while they wait. Called by the actions of healing and by nobody else;
everybody who wants one of these calls the action by its key."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from config.acts.plugins.actions import Call
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, Outcome, Refused, Waiting
from healing.engine import scaling
from healing.engine.scaling import Plan
from healing.enums import ServiceState
from healing.models import Service
from healing.services import services, standing
from healing.services.standing import Seen

LOOK_AGAIN = timedelta(seconds=2)


def restart(service: Service, call: Call, *, wait_seconds: float) -> Outcome:
    """Stop and start it again, then wait until it runs and is well, at most `wait_seconds`; its old and new pids are in the output."""
    if call.state:
        return _settle_restart(service, call.state)
    if not service.may_be_restarted:
        return Refused(f"{service.name} may not be restarted. Allow it with `may_be_restarted` on the service, if that is meant.")
    controller = services.controller_of(service)
    before = list(controller.status(service.params or {}).pids)
    outcome = controller.restart(service.params or {})
    if not isinstance(outcome, Done):
        return outcome
    _announce("service.restarted", service, controller=service.controller, pids_before=before)
    return _settle_restart(service, {"pids_before": before, **_times(wait_seconds)})


def scale(service: Service, call: Call, *, instances: int | None, factor: float | None, most: int | None, wait_seconds: float) -> Outcome:
    """Have `instances` of it, or `factor` times as many, rounded up, within its bounds and at most `most`."""
    if call.state:
        return _settle_scale(service, call.state)
    if (refused := _no_scaling(service)) is not None:
        return refused
    found = _plan(service, call, instances=instances, factor=factor, most=most)
    if not isinstance(found, Plan):
        return found
    if not found.is_change:
        return Done({"service": service.name, "changed": False, **_numbers(found), "message": _why_not(service, found)})
    return _apply(service, found, wait_seconds=wait_seconds)


def unscale(service: Service, call: Call, *, wait_seconds: float) -> Outcome:
    """Have as many as before, but only while there are still as many as that call set."""
    if call.state:
        return _settle_scale(service, call.state)
    if (reason := _nothing_to_undo(service, call)) is not None:
        return reason
    before, after = call.output["before"], call.output["after"]
    seen = standing.check(service)
    if (now := seen.standing.instances) is None:
        return _uncounted(service, seen, "nothing is taken back")
    if now == before:
        return Done({"service": service.name, "changed": False, "before": now, "after": now, "message": f"There are {now} again already."})
    if now != after:
        return Refused(f"{service.name} has {now} instances, not the {after} that were set: somebody changed it since. It is left alone.")
    return _apply(service, Plan(after, before, before), wait_seconds=wait_seconds)


def _nothing_to_undo(service: Service, call: Call) -> Outcome | None:
    if not call.output.get("changed"):
        return Done({"service": service.name, "changed": False, "message": "That call changed nothing, so there is nothing to take back."})
    if call.output.get("before") is None:
        return Refused(f"How many instances of {service.name} there were before is not known. Scale it to the number that you want.")
    return _no_scaling(service)


def _no_scaling(service: Service) -> Refused | None:
    if not service.may_be_scaled:
        return Refused(f"{service.name} may not be scaled. Allow it with `may_be_scaled` on the service, if that is meant.")
    controller = services.controller_of(service)
    return None if controller.can_scale else Refused(f"{controller.title} cannot scale; {service.name} stays as it is.")


def _plan(service: Service, call: Call, *, instances: int | None, factor: float | None, most: int | None) -> Plan | Outcome:
    """The same for the same call, however often it is begun: twice a half more would be more than twice as many."""
    kept = service.scaling or {}
    if call.key and kept.get("key") == call.key:
        return Plan(kept["before"], kept["after"], kept["asked"])
    seen = standing.check(service)
    if instances is None and seen.standing.instances is None:
        return _uncounted(service, seen, "no factor can be applied")
    bound = service.max_instances if most is None else min(service.max_instances, most)
    least = min(service.min_instances, bound)
    found = scaling.plan(current=seen.standing.instances, instances=instances, factor=factor, least=least, most=bound)
    if found.is_change:
        _remember(service, call, found)
    return found


def _uncounted(service: Service, seen: Seen, what: str) -> Failed:
    message = f"How many instances of {service.name} there are is not known, so {what}. {seen.standing.detail}"
    return Failed("unknown_instances", message.strip())


@transaction.atomic
def _remember(service: Service, call: Call, found: Plan) -> None:
    """Written before anything is done, so that a call that is begun again knows what it had in mind."""
    service.scaling = {"key": call.key, **_numbers(found), "at": clock.text(clock.now())}
    service.save(update_fields=["scaling"])


def _apply(service: Service, found: Plan, *, wait_seconds: float) -> Outcome:
    outcome = services.controller_of(service).scale(service.params or {}, found.after)
    if not isinstance(outcome, Done):
        return outcome
    _announce("service.scaled", service, before=found.before, after=found.after)
    return _settle_scale(service, {**_numbers(found), "is_bounded": found.is_bounded, **_times(wait_seconds)})


def _settle_restart(service: Service, state: Mapping[str, Any]) -> Outcome:
    seen = standing.check(service)
    before, after = state["pids_before"], list(seen.standing.pids)
    is_new = not (set(before) & set(after))
    if seen.is_well and is_new:
        output = {"service": service.name, "pids_before": before, "pids_after": after, "health": seen.checked.health}
        return Done({**output, "seconds": _seconds(state), "message": seen.sentence})
    why = seen.sentence if is_new else f"Its processes are the same as before. {seen.sentence}"
    return _again(state, Failed("not_back", f"{service.name} was restarted and is not well after {_seconds(state):.0f} s. {why}"))


def _settle_scale(service: Service, state: Mapping[str, Any]) -> Outcome:
    seen: Seen = standing.check(service)
    now, wanted = seen.standing.instances, state["after"]
    # Some controllers cannot count; one that cannot even be asked has confirmed nothing.
    if now == wanted or (now is None and seen.standing.state != ServiceState.UNKNOWN):
        output = {name: state.get(name) for name in ("before", "after", "asked", "is_bounded")}
        return Done({"service": service.name, "changed": True, **output, "seconds": _seconds(state), "message": seen.sentence})
    has = "an unknown number" if now is None else now
    message = f"{service.name} was to have {wanted} instances and has {has} after {_seconds(state):.0f} s. {seen.sentence}"
    return _again(state, Failed("not_scaled", message))


def _again(state: Mapping[str, Any], otherwise: Failed) -> Outcome:
    """Wait and be called once more, until the time is up."""
    now = clock.now()
    return Waiting(now + LOOK_AGAIN, state) if now < datetime.fromisoformat(state["until"]) else otherwise


def _times(wait_seconds: float) -> dict[str, str]:
    now = clock.now()
    return {"since": now.isoformat(), "until": (now + timedelta(seconds=wait_seconds)).isoformat()}


def _seconds(state: Mapping[str, Any]) -> float:
    return round((clock.now() - datetime.fromisoformat(state["since"])).total_seconds(), 3)


def _numbers(found: Plan) -> dict[str, Any]:
    return {"before": found.before, "after": found.after, "asked": found.asked}


def _why_not(service: Service, found: Plan) -> str:
    if found.is_bounded:
        bound = "the most" if found.asked > found.after else "the least"
        return f"{service.name} has {found.after} instances, {bound} it may have; nothing was changed."
    return f"{service.name} has {found.after} instances already; nothing was changed."


@transaction.atomic
def _announce(action: str, service: Service, **detail: Any) -> None:
    services.tell(action, service, **detail)
