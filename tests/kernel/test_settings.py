"""What the settings make of the environment: databases, and connections that are kept."""

import pytest
from django.db import connection
from django.test import Client

from config.settings.database import database


@pytest.mark.pure
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_each_spelling_of_a_postgresql_url_is_understood(scheme):
    found = database(f"{scheme}://user:p%40ss@db.example:5433/steward")
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "user",
        "p@ss",
        "db.example",
        5433,
        "steward",
    )


@pytest.mark.pure
def test_connections_are_kept_and_looked_at_before_use():
    for url in ("postgres://u:p@h:5432/n", "sqlite:///somewhere.sqlite3"):
        assert (database(url)["CONN_MAX_AGE"], database(url)["CONN_HEALTH_CHECKS"]) == (None, True)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_requests_of_one_process_use_one_connection():
    from django.contrib.auth.models import User

    User.objects.create_user("somebody", password="password")
    client = Client()
    client.get("/login")
    before = connection.connection
    assert before is not None
    for _ in range(100):
        client.get("/login")
    assert connection.connection is before
