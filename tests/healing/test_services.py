"""What is watched: put under watch, changed and let go, each with a sentence when it cannot be."""

import pytest
from django.db import connection

from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.models import AuditRecord, Event
from healing.models import Service
from healing.services import services
from tests.support.steered import KEY, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pretend")]


def told(type):
    return Event.objects.filter(type=type).count()


def refused(name="web", **fields):
    with pytest.raises(InvalidInput) as caught:
        services.register(**{"name": name, "controller": KEY, "params": {"place": "here"}, **fields})
    assert not Service.objects.exists()
    return caught.value.fields


def test_a_service_is_found_by_a_name_that_looks_like_an_id():
    made = services.register(name="svc_shop", controller=KEY, params={"place": "here"})
    assert services.find("svc_shop") == services.find(made.uid) == made


def test_nothing_may_be_done_to_a_new_service_until_somebody_says_so():
    service = services.register(name="web", controller=KEY, params={"place": "here"})
    assert service.uid.startswith("svc_")
    assert (service.may_be_restarted, service.may_be_scaled) == (False, False)
    assert told("service.created") == 1
    assert AuditRecord.objects.filter(action="service.created").exists()


def test_its_parameters_are_what_the_controllers_form_makes_of_them():
    assert refused(params={}) == {"params.place": ["This field is required."]}
    assert list(refused(params={"place": "x", "colour": "red"})) == ["params.colour"]
    assert services.register(name="web", controller=KEY, params={"place": " here "}).params == {"place": "here", "password": ""}


def test_a_secret_is_encrypted_masked_and_kept_when_the_mask_comes_back():
    service = watched(params={"place": "here", "password": "open sesame"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT params FROM healing_service")
        assert "sesame" not in cursor.fetchone()[0]
    assert services.shown_params(service) == {"place": "here", "password": "********"}
    services.update(service, params={"place": "there", "password": "********"})
    assert services.find("web").params == {"place": "there", "password": "open sesame"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "Not A Name"}, "name"),
        ({"controller": "healing.nothing"}, "controller"),
        ({"min_instances": 3, "max_instances": 2}, "max_instances"),
        ({"health_timeout_seconds": 0}, "health_timeout_seconds"),
        ({"health_expected_status": 42}, "health_expected_status"),
        ({"health_kind": "http", "health_target": "ftp://x"}, "health_target"),
        ({"health_kind": "http", "health_target": "https://169.254.169.254/"}, "health_target"),
        ({"health_kind": "tcp", "health_target": "https://db:5432"}, "health_target"),
        ({"health_kind": "tcp", "health_target": "127.0.0.1:5432"}, "health_target"),
        ({"health_kind": "smoke"}, "health_kind"),
        ({"description": "x" * 301}, "description"),
        ({"dependencies": ["nobody"]}, "dependencies"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields, name):
    expected = {"health_kind": "health_target"}.get(name, name)
    assert expected in refused(**fields)


def test_an_address_of_this_machine_may_be_checked_when_an_operator_vouches_for_it(settings):
    settings.STEWARD_TRUSTED_TARGETS = ["http://127.0.0.1:5432"]
    watched("by-http", health_kind="http", health_target="http://127.0.0.1:5432/health")
    watched("by-tcp", health_kind="tcp", health_target="127.0.0.1:5432")
    assert Service.living.count() == 2


def test_a_name_is_taken_only_among_the_living():
    service = watched()
    with pytest.raises(Conflict, match="already"):
        watched()
    assert services.delete(service) is True
    assert services.delete(service) is False
    assert watched().pk != service.pk
    assert told("service.deleted") == 1


def test_dependencies_may_not_run_in_a_circle():
    watched("db")
    watched("api", dependencies=["db"])
    web = watched("web", dependencies=["api"])
    with pytest.raises(InvalidInput, match="db → web → api → db"):
        services.update(services.find("db"), dependencies=[web.uid])
    assert not services.find("db").dependencies.exists()
    assert [one.name for one in services.find("web").dependencies.all()] == ["api"]


def test_what_others_stand_on_is_not_deleted():
    watched("db")
    watched("api", dependencies=["db"])
    with pytest.raises(Conflict, match="api stands on db"):
        services.delete(services.find("db"))
    services.delete(services.find("api"))
    assert services.delete(services.find("db")) is True


def test_a_change_is_announced_with_the_names_of_what_changed_and_no_change_is_not():
    service = watched()
    services.update(service, max_instances=5, params={"place": "there"})
    services.update(service, max_instances=5)
    assert told("service.updated") == 1
    assert AuditRecord.objects.get(action="service.updated").detail == {"changed": ["max_instances", "params"]}


def test_another_controller_starts_without_the_parameters_of_the_old_one(settings):
    service = watched(params={"place": "here", "password": "open sesame"})
    with pytest.raises(InvalidInput) as caught:
        services.update(service, controller="healing.supervisor")
    assert list(caught.value.fields) == ["params.program"]
    services.update(services.find("web"), controller="healing.supervisor", params={"program": "web"})
    assert services.find("web").params == {"program": "web"}


def test_one_that_is_not_there():
    with pytest.raises(NotFound, match="no service 'ghost'"):
        services.find("ghost")


def test_a_controller_that_is_not_installed_any_more_says_so():
    service = watched()
    service.controller = "gone.away"
    with pytest.raises(NotFound, match="Choose another controller"):
        services.controller_of(service)
    assert services.shown_params(service) == {"place": "********", "password": ""}
