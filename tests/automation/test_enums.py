"""The names of the requirements lead to actions that are there."""

import pytest

from automation.enums import ALIASES, AutomationAction, action_key
from config.acts.plugins.actions import actions

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("name", ["SCALE_RESOURCES", "scale_resources", " Scale_Resources ", "automation.scale_resources"])
def test_a_name_in_any_case_is_the_key(name):
    assert action_key(name) == "automation.scale_resources"


def test_an_unknown_name_stays_as_it_is():
    assert action_key("webhooks.replay") == "webhooks.replay"


def test_every_name_of_the_requirements_is_there():
    wanted = "PROCESS_VIDEO BATCH_PROCESS CLEANUP_CACHE GENERATE_REPORT SCALE_RESOURCES SEND_NOTIFICATION OPTIMIZE_PERFORMANCE BACKUP_DATA"
    assert set(ALIASES) == {*wanted.split(), "SCALE_INFRASTRUCTURE", "NOTIFY_SLACK"}


@pytest.mark.parametrize("member", list(AutomationAction), ids=lambda member: member.name)
def test_its_action_is_registered(member):
    assert member.value in actions.all()
