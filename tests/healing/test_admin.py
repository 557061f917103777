"""The admin of services: the controller's fields are drawn, choosing another one loses nothing, saving is one call of the service."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from config.acts.models import Invocation
from config.kernel.models import AuditRecord
from healing.models import Service
from healing.services import services
from tests.support.pages import text_of
from tests.support.steered import KEY, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pretend")]
ADD, LIST = "/admin/healing/service/add/", "/admin/healing/service/"
FORM = {
    "name": "web",
    "description": "",
    "controller": KEY,
    "params-plugin": KEY,
    "params-place": "here",
    "params-password": "open sesame",
    "may_be_restarted": "on",
    "min_instances": "1",
    "max_instances": "2",
    "health_kind": "none",
    "health_target": "",
    "health_expected_status": "200",
    "health_timeout_seconds": "5",
}


def person(role):
    user = User.objects.create_user(f"p-{role}", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=f"automation_{role}"))
    client = Client()
    client.force_login(user)
    return client


def change(service):
    return reverse("admin:healing_service_change", args=[service.pk])


def test_every_model_is_registered():
    assert Service in admin.site._registry


def test_a_service_is_added_with_the_fields_of_its_controller():
    boss = person("admin")
    assert "once you have chosen" in text_of(boss.get(ADD))
    answer = boss.post(ADD, FORM)
    assert answer.status_code == 302, text_of(answer)
    service = services.find("web")
    assert service.params == {"place": "here", "password": "open sesame"}
    assert (service.may_be_restarted, service.may_be_scaled) == (True, False)
    assert AuditRecord.objects.filter(action="service.created", actor="p-admin").count() == 1


def test_choosing_another_controller_shows_its_fields_keeps_what_was_typed_and_saves_nothing():
    page = text_of(person("admin").post(ADD, {**FORM, "name": "typed", "controller": "healing.supervisor", "_redraw": "params"}))
    assert 'name="params-program"' in page
    assert 'value="typed"' in page
    assert "This field is required" not in page
    assert not Service.objects.exists()


def test_a_mistake_is_shown_beside_its_field():
    page = text_of(person("admin").post(ADD, {**FORM, "params-place": ""}))
    assert "This field is required" in page
    assert not Service.objects.exists()


def test_what_the_service_refuses_is_shown_beside_its_field():
    page = text_of(person("admin").post(ADD, {**FORM, "min_instances": "3"}))
    assert "the most at least the least" in page


def test_a_change_keeps_the_secret_that_is_not_shown():
    service, boss = watched(params={"place": "here", "password": "open sesame"}), person("admin")
    page = text_of(boss.get(change(service)))
    assert "sesame" not in page
    assert 'value="here"' in page
    answer = boss.post(change(service), {**FORM, "params-place": "there", "params-password": ""})
    assert answer.status_code == 302, text_of(answer)
    assert services.find("web").params == {"place": "there", "password": "open sesame"}


def test_dependencies_are_chosen_and_a_circle_is_refused():
    db, boss = watched("db"), person("admin")
    boss.post(ADD, {**FORM, "dependencies": [db.pk]})
    web = services.find("web")
    assert [one.name for one in web.dependencies.all()] == ["db"]
    page = text_of(boss.post(change(db), {**FORM, "name": "db", "dependencies": [web.pk]}))
    assert "in a circle" in page
    assert not services.find("db").dependencies.exists()


def test_who_may_only_look_sees_no_secret_and_changes_nothing():
    service, viewer = watched(params={"place": "here", "password": "open sesame"}), person("viewer")
    page = text_of(viewer.get(change(service)))
    assert "sesame" not in page
    assert "********" in page
    assert viewer.post(change(service), FORM).status_code == 403
    assert viewer.get(ADD).status_code == 403


def test_looking_and_restarting_from_the_list():
    service, boss = watched(), person("admin")
    boss.post(LIST, {"action": "look_now", "_selected_action": [service.pk]})
    assert services.find("web").status == "running"
    boss.post(LIST, {"action": "_restart", "_selected_action": [service.pk]})
    assert Invocation.objects.get().owner == "p-admin"


def test_deleting_goes_by_the_service_and_not_below_others():
    db, boss = watched("db"), person("admin")
    watched("web", dependencies=["db"])
    page = text_of(boss.post(reverse("admin:healing_service_delete", args=[db.pk]), {"post": "yes"}))
    assert "web stands on it" in page
    web = services.find("web")
    boss.post(reverse("admin:healing_service_delete", args=[web.pk]), {"post": "yes"})
    web.refresh_from_db()
    assert web.deleted_at is not None
