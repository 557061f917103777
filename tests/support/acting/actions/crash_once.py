"""Kills the process it runs in, and must not be repeated."""

from config.acts.plugins.actions import actions
from tests.support.acting.actions.crash import Crash


class CrashOnce(Crash):
    title = "Crash, once"
    effect = "once"  # type: ignore[assignment]


actions.register("acting.crash_once", CrashOnce(), module=__name__)
