"""Needs the right to run critical actions."""

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Critical(Action):
    title = "Something grave"
    permission = "critical"
    runs = "inline"
    effect = "none"

    def run(self, params, call):
        return Done({"owner": call.owner})


actions.register("acting.critical", Critical(), module=__name__)
