"""`manage.py services`: every deed, with `--json`, with a sentence when it is refused."""

import json

import pytest
from django.core.management import CommandError, call_command

from config.acts.models import Invocation
from healing.models import Service
from tests.support.steered import KEY, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pretend")]


def run(capsys, *words):
    call_command("services", *words, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_service_is_registered_changed_and_shown(capsys):
    made = run(
        capsys,
        "register",
        "web",
        "--controller",
        KEY,
        "--params",
        '{"place": "here", "password": "x"}',
        "--may-be-restarted",
        "--max-instances",
        "3",
    )
    assert (made["name"], made["may_be_restarted"], made["may_be_scaled"], made["max_instances"]) == ("web", True, False, 3)
    assert made["params"]["password"] == "********"
    changed = run(capsys, "change", "web", "--may-not-be-restarted", "--description", "The shop")
    assert (changed["may_be_restarted"], changed["description"], changed["max_instances"]) == (False, "The shop", 3)
    assert run(capsys, "show", made["id"])["description"] == "The shop"


def test_it_is_looked_at_and_listed(capsys):
    watched()
    assert run(capsys, "check", "web")["status"] == "running"
    assert [(one["name"], one["instances"]) for one in run(capsys, "list")] == [("web", 1)]


def test_a_restart_and_another_number_are_asked_for(capsys):
    watched()
    assert run(capsys, "restart", "web")["action"] == "healing.restart_service"
    run(capsys, "scale", "web", "--instances", "2")
    run(capsys, "scale", "web", "--factor", "1.5")
    assert {(row.owner, row.caller) for row in Invocation.objects.all()} == {("system", "command")}
    assert Invocation.objects.count() == 3


def test_a_refusal_is_a_sentence():
    with pytest.raises(CommandError, match="no service 'ghost'"):
        call_command("services", "restart", "ghost")
    with pytest.raises(CommandError, match="There is no controller"):
        call_command("services", "register", "web", "--controller", "healing.nothing")
    watched()
    with pytest.raises(CommandError, match="either `instances` or `scale_factor`"):
        call_command("services", "scale", "web")


def test_it_is_let_go(capsys):
    watched()
    assert run(capsys, "delete", "web") == {"name": "web", "changed": True}
    assert not Service.living.exists()
