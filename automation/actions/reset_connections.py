"""Has every process open its connections anew."""

from collections.abc import Mapping
from typing import Any

from automation.services.effects import connections
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome


class ResetConnections(Action):
    """To the database, to Redis and to receivers; what is under way is brought to its end first."""

    title = "Reset connections"
    about = (
        "Every process closes its connections to the database, to Redis and to receivers before its next piece of work, and opens new ones."
    )
    effect = "idempotent"
    timeout_seconds = 60

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Ask, then look until none of the old ones is left; those that are renewed later are named."""
        return connections.reset(call.state)


actions.register("automation.reset_connections", ResetConnections(), module=__name__)
