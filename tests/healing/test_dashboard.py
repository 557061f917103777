"""The pages of services: what they show, to whom, and what their buttons do."""

import csv
import io

import pytest

from config.acts.models import Invocation
from config.kernel.plugins.contracts import finders
from healing.services import services, standing
from tests.support.api import ADMIN, OPERATOR, VIEWER
from tests.support.pages import client_of, said, statements, text_of
from tests.support.steered import watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pretend")]


def test_without_a_service_it_says_what_to_do_first():
    assert "Nothing is looked after yet" in text_of(client_of(VIEWER).get("/services"))


def test_the_list_shows_how_each_stands():
    standing.check(watched(description="The shop"))
    page = text_of(client_of(VIEWER).get("/services"))
    assert all(word in page for word in ("web", "The shop", "running", "not checked", "Pretended", "restarted"))


def test_the_list_is_filtered_and_exported():
    standing.check(watched("one"))
    watched("two")
    client = client_of(VIEWER)
    assert "two" not in text_of(client.get("/services?status=running"))
    assert "No service fits these filters" in text_of(client.get("/services?health=critical"))
    rows = list(csv.DictReader(io.StringIO(text_of(client.get("/services?q=on&export=csv")))))
    assert [(row["name"], row["status"]) for row in rows] == [("one", "running")]


def test_more_services_cost_no_more_statements():
    watched("one")
    client = client_of(VIEWER)
    client.get("/services")
    few = statements(client, "/services")
    for number in range(5):
        watched(f"more-{number}")
    assert statements(client, "/services") == few


def test_a_service_shows_its_settings_without_secrets_and_what_stands_on_what():
    watched("db")
    service = watched(params={"place": "here", "password": "open sesame"}, dependencies=["db"])
    page = text_of(client_of(OPERATOR).get(f"/services/{service.uid}"))
    assert "sesame" not in page
    assert "********" in page
    assert f"/services/{services.find('db').uid}" in page


def test_buttons_are_for_those_who_may_and_for_what_is_allowed():
    service = watched(may_be_scaled=False)
    page = text_of(client_of(OPERATOR).get(f"/services/{service.uid}"))
    assert f"/services/{service.uid}/restart" in page
    assert f"/services/{service.uid}/scale" not in page
    assert "/restart" not in text_of(client_of(VIEWER).get(f"/services/{service.uid}"))


def test_looking_now_says_what_was_seen():
    service = watched()
    answer = client_of(OPERATOR).post(f"/services/{service.uid}/check", follow=True)
    assert "It is running." in said(answer)


def test_a_restart_asks_first_and_is_then_a_call_that_the_page_lists():
    service, client = watched(), client_of(OPERATOR)
    assert "Restart web?" in text_of(client.get(f"/services/{service.uid}/restart"))
    answer = client.post(f"/services/{service.uid}/restart", follow=True)
    row = Invocation.objects.get()
    assert (row.action, row.caller) == ("healing.restart_service", "dashboard")
    assert row.uid in said(answer)
    assert "Restart the service web" in text_of(answer)


def test_scaling_wants_a_whole_number():
    service, client = watched(), client_of(OPERATOR)
    assert "whole number" in said(client.post(f"/services/{service.uid}/scale", {"instances": "many"}, follow=True))
    client.post(f"/services/{service.uid}/scale", {"instances": "3"})
    assert Invocation.objects.get().params["instances"] == 3


@pytest.mark.parametrize("deed", ["check", "restart", "scale"])
def test_who_may_only_look_may_do_nothing(deed):
    service = watched()
    assert client_of(VIEWER).post(f"/services/{service.uid}/{deed}").status_code == 403
    assert not Invocation.objects.exists()


def test_the_search_box_finds_it_by_id_and_name():
    service = watched()
    find = finders.get("healing.service")
    assert find(service.uid).url == find("Web").url == f"/services/{service.uid}"
    assert find("nothing") is None


def test_a_service_that_is_gone_is_a_page_that_says_so():
    assert client_of(ADMIN).get("/services/svc_gone").status_code == 404
