"""What `up` makes ready, and that what it suggests works."""

import shlex

import pytest
from django.test import Client

from config.kernel.flow import events
from config.kernel.plugins.contracts import Start, starters
from webhooks.models import Endpoint, Source
from webhooks.services import endpoints, sources, welcome

pytestmark = pytest.mark.django_db
BASE = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def _embedded(settings):
    settings.STEWARD_TRUSTED_TARGETS = [BASE]
    settings.GITHUB_WEBHOOK_SECRET = ""


def test_it_is_registered_for_up():
    assert starters.get("webhooks.welcome") is welcome.prepare


def test_inbox_hears_everything_and_is_made_once():
    for _ in range(2):
        welcome.prepare(Start(BASE))
    [inbox] = Endpoint.objects.all()
    assert (inbox.uid, inbox.events, inbox.url) == ("inbox", ["*"], f"{BASE}/inbox/receive")
    assert inbox.secret


def test_inbox_follows_the_port(settings):
    welcome.prepare(Start(BASE))
    settings.STEWARD_TRUSTED_TARGETS = ["http://127.0.0.1:9000"]
    welcome.prepare(Start("http://127.0.0.1:9000"))
    assert Endpoint.objects.get().url == "http://127.0.0.1:9000/inbox/receive"


def test_deleted_inbox_and_source_stay_deleted():
    welcome.prepare(Start(BASE))
    endpoints.delete(Endpoint.objects.get())
    sources.delete(Source.objects.get())
    welcome.prepare(Start(BASE))
    assert not Endpoint.living.exists()
    assert not Source.living.exists()


def test_suggested_event_is_one_that_may_be_published():
    assert events.check(welcome.EVENT["type"], welcome.EVENT["data"]) == []


def test_suggested_github_request_is_accepted_with_a_task():
    github = welcome.prepare(Start(BASE))[1].command.replace("\\\n", " ")
    words = shlex.split(github)
    headers = dict(words[index + 1].split(": ", 1) for index, word in enumerate(words) if word == "-H")
    reply = Client().post(
        words[2].removeprefix(BASE), words[words.index("-d") + 1], content_type=headers.pop("Content-Type"), headers=headers
    )
    assert reply.status_code == 202
    assert reply.json()["result"]["task_id"].startswith("tsk_")


def test_suggested_commands_name_the_right_address():
    assert all(BASE in one.command for one in welcome.prepare(Start(BASE)))
