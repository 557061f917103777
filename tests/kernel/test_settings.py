"""What the settings make of the environment: databases, kept connections, log levels, and what production demands."""

import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import close_old_connections, connection
from django.test import Client

from config.kernel.management.commands import quality
from config.settings.database import database
from tests.support import environment


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
        close_old_connections()  # what a real server does after each request; the test client leaves it out
    assert connection.connection is before


LEVELS = "import django, logging; django.setup(); print([logging.getLogger(one).isEnabledFor(10) for one in ('automation', 'webhooks')])"


@pytest.mark.pure
@pytest.mark.parametrize(("given", "is_enabled"), [("DEBUG", "True"), ("INFO", "False")])
def test_the_logger_of_automation_has_a_level_of_its_own(tmp_path, given, is_enabled):
    environ = environment.of_process(tmp_path, DJANGO_SETTINGS_MODULE="config.settings.base", AUTOMATION_LOG_LEVEL=given)
    done = subprocess.run([sys.executable, "-c", LEVELS], cwd=environment.ROOT, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[{is_enabled}, False]"


HOSTS = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"


@pytest.mark.pure
def test_the_hosts_that_are_answered_to_come_from_the_environment(tmp_path):
    environ = environment.of_process(tmp_path, DJANGO_SETTINGS_MODULE="config.settings.base", ALLOWED_HOSTS="yourdomain.com,localhost")
    done = subprocess.run([sys.executable, "-c", HOSTS], cwd=environment.ROOT, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['yourdomain.com', 'localhost']"


@pytest.mark.pure
def test_the_production_settings_pass_the_deployment_check(tmp_path):
    environ = {**environment.of_process(tmp_path), **quality.PRODUCTION, "STEWARD_BOOTSTRAP": "off"}
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(words, cwd=environment.ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_the_models_and_the_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
