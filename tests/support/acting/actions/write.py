"""Asks the database, from a child."""

from config.acts.models import Invocation
from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Write(Action):
    title = "Write a row"
    effect = "idempotent"

    def run(self, params, call):
        changed = Invocation.objects.filter(uid=call.id).update(summary="written by its own action")
        return Done({"changed": changed})


actions.register("acting.write", Write(), module=__name__)
