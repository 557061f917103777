"""The list of GitHub installations follows the events of the sender."""

import pytest

from config.kernel.flow import events, routing
from tests.support.factories import SourceFactory
from webhooks.models import Installation

pytestmark = pytest.mark.django_db


@pytest.fixture
def source():
    return SourceFactory(slug="github", preset="github")


def tell(action, number=7, **extra):
    data = {"action": action, "installation": {"id": number, "account": {"login": "octo"}}, **extra}
    return events.publish("github.installation", data=data, source="inbound:github")


def test_created_makes_an_active_row_and_deleted_an_inactive_one(source):
    tell("created")
    routing.route()
    found = Installation.objects.get()
    assert (found.installation_id, found.account, found.is_active) == ("7", "octo", True)
    tell("deleted")
    routing.route()
    assert Installation.objects.get().is_active is False


def test_a_name_that_no_database_could_hold_is_noted_all_the_same(source):
    tell("created", installation={"id": "7\0", "account": {"login": "oc\0to"}})
    routing.route()
    assert Installation.objects.get().account == "oc\ufffdto"


def test_an_older_event_heard_again_undoes_nothing(source):
    first = tell("created")
    routing.route()
    tell("deleted")
    routing.route()
    events.reroute(first)
    routing.route()
    assert Installation.objects.get().is_active is False


@pytest.mark.parametrize(
    "data", [{"action": "created"}, {"action": "created", "installation": "x"}, {"action": "renamed", "installation": {"id": 1}}, [1]]
)
def test_what_names_no_installation_makes_no_row(source, data):
    events.publish("github.installation", data=data, source="inbound:github")
    routing.route()
    assert not Installation.objects.exists()
