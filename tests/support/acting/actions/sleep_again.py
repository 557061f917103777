"""Sleeps, and may be repeated."""

from config.acts.plugins.actions import actions
from tests.support.acting.actions.sleep import Again

actions.register("acting.sleep_again", Again(), module=__name__)
