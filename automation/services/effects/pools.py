"""The pools of our own workers, through the controller that healing has for them. Called by actions and other services."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from automation.engine import scaling
from automation.services.running import pressure
from config.acts.plugins.actions import Call
from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused, Waiting
from config.kernel.watch import audit

KEY = "healing.celery_pool"
QUEUE = "default"
LEAST = 1
LOOK_AGAIN = timedelta(seconds=1)
PATIENCE = timedelta(seconds=30)


def renew(*, queue: str = QUEUE) -> Outcome:
    """Fresh processes for those that are idle: they give back memory and hold no old connection."""
    if (controller := _controller()) is None:
        return _nobody()
    before = set(controller.status({"queue": queue}).pids)
    outcome = controller.restart({"queue": queue})
    if not isinstance(outcome, Done):
        return outcome
    return Done({"processes": len(before), "pids_before": sorted(before)[:100]})


def scale(call: Call, *, factor: float, metrics: Sequence[str] = ()) -> Outcome:
    """Grow or shrink them to `factor` times as many, up to WORKER_MAX_CONCURRENCY; done when the pool says so itself."""
    if call.state:
        return _settle(call.state)
    controller = _controller()
    if controller is None:
        return _nobody()
    standing = controller.status({"queue": QUEUE})
    if not standing.instances:
        return _unknown(standing)
    found = scaling.plan(standing.instances, factor=factor, least=LEAST, most=options.get("WORKER_MAX_CONCURRENCY"))
    told = {"queue": QUEUE, "before": found.before, "after": found.after, "asked": found.asked, "metrics": _values(metrics)}
    if found.after == found.before:
        return Done({**told, "changed": False, "message": f"There are {found.before} processes already, the number to have."})
    return _apply(controller, {**told, "changed": True}, call)


def restore(call: Call) -> Outcome:
    """As many as before `scale`, but only while there are as many as it made."""
    if call.state:
        return _settle(call.state)
    controller, before, after = _controller(), call.output.get("before"), call.output.get("after")
    if not call.output.get("changed"):
        return Done({"changed": False, "message": "That call changed nothing, so there is nothing to take back."})
    if controller is None:
        return _nobody()
    standing = controller.status({"queue": QUEUE})
    if standing.instances == before:
        return Done({"changed": False, "message": f"There are {before} processes again already."})
    if standing.instances == after:
        return _apply(controller, {"queue": QUEUE, "before": after, "after": before, "asked": before, "changed": True}, call)
    changed = f"There are {standing.instances} processes, not the {after} that were made: somebody has changed it since."
    return _unknown(standing) if standing.instances is None else Refused(changed)


def _apply(controller: Controller, told: dict[str, Any], call: Call) -> Outcome:
    outcome = controller.scale({"queue": QUEUE}, told["after"])
    if not isinstance(outcome, Done):
        return outcome
    audit.record("workers.scaled", f"workers:{QUEUE}", before=told["before"], after=told["after"], invocation=call.id, owner=call.owner)
    return _settle({**told, "until": (clock.now() + PATIENCE).isoformat()})


def _settle(state: Mapping[str, Any]) -> Outcome:
    """Look whether the pool is as large as it was told to be, for half a minute at most."""
    controller = _controller()
    now = controller.status({"queue": QUEUE}).instances if controller else None
    if now == state["after"]:
        return Done({name: value for name, value in state.items() if name != "until"})
    if clock.now() < datetime.fromisoformat(state["until"]):
        return Waiting(clock.now() + LOOK_AGAIN, state)
    return Failed("not_scaled", f"There were to be {state['after']} processes; there are {now}.")


def _controller() -> Controller | None:
    return controllers.all().get(KEY)


def _nobody() -> NotConfigured:
    return NotConfigured(f"There is no controller {KEY}; the app healing brings it.")


def _unknown(standing: Standing) -> Outcome:
    """Without Redis there are no workers of their own, as the controller says."""
    if not settings.REDIS_URL:
        return NotConfigured(standing.detail)
    return Failed("no_worker", standing.detail or "No worker of ours answers. Start one with `manage.py worker`.")


def _values(metrics: Sequence[str]) -> dict[str, float | None]:
    """What they were measured as last, for the record."""
    values = pressure.measured() if metrics else {}
    return {name: values.get(name) for name in metrics}
