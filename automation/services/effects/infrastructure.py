"""Services scaled by the action that healing has for it. Called by `automation.scale_infrastructure` and `automation.scale_resources`."""

from typing import Any

from automation.services.effects import chain
from automation.services.effects.chain import Step
from config.acts.plugins.actions import Call
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused, Waiting

ACTION = "healing.scale_service"


def scale(call: Call, *, service: str, factor: float, most: int | None = None) -> Outcome:
    """Have `factor` times as many instances, at most `most`. The output is that of the call, and its id for taking it back."""
    params: dict[str, Any] = {"service": service, "scale_factor": factor} | ({} if most is None else {"max_instances": most})
    found = chain.follow([Step(service, ACTION, params)], call)
    if isinstance(found, Waiting):
        return found
    [result] = found
    return Done({"invocation": result.invocation, **(result.output or {})}) if result.is_done else _not_done(result)


def restore(call: Call) -> Outcome:
    """Take that call back."""
    found = chain.undo(str(call.output.get("invocation", "")), call)
    if isinstance(found, Waiting):
        return found
    return Done(dict(found.output or {})) if found.is_done else _not_done(found)


def _not_done(result: chain.Result) -> Outcome:
    message = result.message or f"{result.name}: {result.status}"
    if result.code == "not_configured":
        return NotConfigured(message)
    return Refused(message) if result.status == "refused" else Failed(result.code or "failed", message)
