"""Does nothing, at once, in the executor's own process."""

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Noop(Action):
    title = "Nothing"
    runs = "inline"
    effect = "none"

    def run(self, params, call):
        return Done({"attempt": call.attempt})


actions.register("acting.noop", Noop(), module=__name__)
