"""Wants all the memory."""

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Hog(Action):
    title = "Hog"
    effect = "idempotent"

    def run(self, params, call):
        kept = []
        while True:
            kept.append(bytearray(32 * 1024 * 1024))
        return Done()


actions.register("acting.hog", Hog(), module=__name__)
