"""Sleeps, and may be repeated."""

from config.acts.plugins.actions import actions
from tests.support.acting.actions.sleep import Sleep


class SleepAgain(Sleep):
    title = "Sleep, and again"
    effect = "idempotent"  # type: ignore[assignment]


actions.register("acting.sleep_again", SleepAgain(), module=__name__)
