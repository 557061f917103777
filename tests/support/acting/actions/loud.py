"""Prints for ever."""

from config.acts.plugins.actions import Action, actions


class Loud(Action):
    title = "Loud"
    effect = "idempotent"

    def run(self, params, call):
        while True:
            print("x" * 1000)


actions.register("acting.loud", Loud(), module=__name__)
