"""A browser without a browser: Django's client, logged in as somebody of a given role."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.api import ADMIN


def client_of(role: str = ADMIN) -> Client:
    """A client whose user is in the group `role`; errors come as pages, as in production."""
    user, _ = User.objects.get_or_create(username=f"pages-{role}")
    user.groups.add(Group.objects.get(name=role))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    """The page as text."""
    return b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()


def said(response: Any) -> str:
    """The messages that the page shows after a deed."""
    return " ".join(str(message) for message in response.context["messages"])


def statements(client: Client, address: str) -> int:
    """How many statements the page costs."""
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert client.get(address).status_code == 200
    return len(caught)
