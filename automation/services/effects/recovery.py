"""Recovery: services restarted, failed items put away, connections opened anew. Each is an action of its own, called by key.
Called by `automation.optimize_performance` and `automation.restart_services`."""

from collections.abc import Mapping, Sequence

from automation.services.effects import chain
from automation.services.effects.chain import Step
from config.acts.plugins.actions import Call
from config.kernel.desk import options
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Waiting

# The names that requirements and rules use, and who does it.
ACTIONS: Mapping[str, str] = {
    "restart_services": "automation.restart_services",
    "clear_error_queues": "automation.clear_error_queues",
    "reset_connections": "automation.reset_connections",
}


def steps(names: Sequence[str]) -> list[Step]:
    """One step for each name, in the order given."""
    return [Step(name, ACTIONS[name], {}) for name in names]


def restart(names: Sequence[str], call: Call) -> Outcome:
    """Restart the services `names`, or those of RECOVERY_SERVICES, one by one. A service itself says whether it may be restarted."""
    wanted = list(call.state.get("services") or names or options.get("RECOVERY_SERVICES"))
    if not wanted:
        return NotConfigured("Name the services that recovery restarts in the option RECOVERY_SERVICES, or in the parameter `services`.")
    found = chain.follow([Step(name, "healing.restart_service", {"service": name}) for name in wanted], call)
    if isinstance(found, Waiting):
        # The list is kept: the option may change meanwhile.
        return Waiting(found.resume_at, {**found.state, "services": wanted})
    if all(one.is_done for one in found):
        return Done({"services": [one.as_json() for one in found]})
    return Failed("not_all_restarted", chain.failure(found), {"services": [one.as_json() for one in found]})
