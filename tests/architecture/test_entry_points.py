"""Each way into the product loads our Celery, and manage.py finds or makes its environment before anything else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import bootstrap
from tests.support import environment

# Each starts processes of its own.
pytestmark = [pytest.mark.pure, pytest.mark.serial]

ROOT = Path(__file__).resolve().parent.parent.parent
WHOSE = "from celery import current_app; print(current_app.main, current_app.conf.task_acks_late, 'kernel.work' in current_app.tasks)"
SECRETS = {"SECRET_KEY": "x" * 50, "FIELD_ENCRYPTION_KEYS": "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="}


def run(tmp_path, *command, **extra):
    given = {**environment.bare(), "DATA_DIR": str(tmp_path), **extra}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=given, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "code",
    [
        f"import config.wsgi; {WHOSE}",
        f"import config.asgi; {WHOSE}",
        f"import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings.base'; django.setup(); {WHOSE}",
    ],
    ids=["wsgi", "asgi", "setup"],
)
def test_every_server_entry_point_loads_our_celery(tmp_path, code):
    done = run(tmp_path, "-c", code)
    assert done.stdout.split() == ["steward", "True", "True"], done.stderr


def test_a_command_loads_our_celery(tmp_path):
    done = run(tmp_path, "manage.py", "shell", "-v", "0", "-c", WHOSE)
    assert done.stdout.split() == ["steward", "True", "True"], done.stderr


def test_a_worker_loads_our_celery_and_our_tasks(tmp_path):
    done = run(tmp_path, "-m", "celery", "-A", "config.celery", "report", DJANGO_SETTINGS_MODULE="config.settings.base")
    assert "task_default_queue" in done.stdout or "CELERY_TASK_DEFAULT_QUEUE" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_process_that_would_hear_nobody_says_so(tmp_path, name):
    done = run(tmp_path, "manage.py", name)
    assert done.returncode == 1
    assert "REDIS_URL" in done.stderr


@pytest.mark.parametrize("missing", SECRETS)
def test_production_refuses_to_start_without_its_secrets(tmp_path, missing):
    given = {name: value for name, value in SECRETS.items() if name != missing}
    done = run(tmp_path, "manage.py", "check", DJANGO_SETTINGS_MODULE="config.settings.production", **given)
    assert done.returncode == 1
    assert f"{missing} is not set" in done.stderr


def test_a_database_url_that_cannot_be_read_is_a_sentence_without_the_password(tmp_path):
    done = run(tmp_path, "manage.py", "doctor", "database", DATABASE_URL="postgrse://steward:hunter2@host/steward")
    assert done.returncode == 1
    assert "DATABASE_URL cannot be read" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_up_on_a_port_that_is_taken_is_a_sentence(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, "manage.py", "up", PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "choose another PORT" in done.stderr
    assert "Traceback" not in done.stderr


# --- the environment that manage.py makes -------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A checkout of its own with an environment that has just been made."""
    (tmp_path / "requirements").mkdir()
    for name in bootstrap.SETS:
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(bootstrap, "HOME", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(bootstrap, "STAMP", venv / "steward.json")
    monkeypatch.setattr(bootstrap, "LOG", venv / "install.log")
    monkeypatch.setattr(bootstrap, "_is_left_alone", lambda: False)
    monkeypatch.setattr(bootstrap, "_say", lambda sentence: None)
    return tmp_path


@pytest.fixture
def deeds(home, monkeypatch):
    """What would be installed, and what would be executed, in order."""
    seen: list[str] = []
    monkeypatch.setattr(bootstrap, "_install", lambda name: seen.append(f"install {name}"))
    monkeypatch.setattr(bootstrap.os, "execv", lambda path, arguments: seen.append("again"))
    return seen


def test_first_start_installs_and_starts_again_inside(deeds):
    bootstrap.ensure(["up"])
    assert deeds == ["install base", "again"]


def test_second_start_installs_nothing(deeds):
    bootstrap.ensure(["up"])
    bootstrap.ensure(["up"])
    assert deeds == ["install base", "again", "again"]


def test_changed_lock_file_is_installed(deeds, home):
    bootstrap.ensure(["up"])
    (home / "requirements" / "base.txt").write_text("base==2\n")
    bootstrap.ensure(["up"])
    assert deeds.count("install base") == 2


def test_environment_that_holds_more_is_left_as_it_is(deeds):
    bootstrap.ensure(["quality"])
    bootstrap.ensure(["up"])
    assert deeds == ["install dev", "again", "again"]


def test_update_keeps_what_was_installed_beyond_the_command(deeds, home):
    bootstrap.ensure(["quality"])
    (home / "requirements" / "dev.txt").write_text("dev==2\n")
    bootstrap.ensure(["up"])
    assert deeds == ["install dev", "again", "install dev", "again"]


@pytest.mark.parametrize(
    ("arguments", "has_browser", "expected"),
    [
        ([], False, "base"),
        (["up"], True, "base"),
        (["web"], False, "production"),
        (["test"], False, "dev"),
        (["test"], True, "browser"),
        (["chaos"], True, "dev"),
    ],
)
def test_each_command_gets_what_it_needs(monkeypatch, arguments, has_browser, expected):
    monkeypatch.setattr(bootstrap, "_has_browser", lambda: has_browser)
    assert bootstrap._wanted(arguments) == expected


def test_failed_install_is_a_sentence_and_leaves_no_stamp(home, monkeypatch):
    monkeypatch.setattr(bootstrap, "_uv", lambda: [])
    monkeypatch.setattr(bootstrap, "_run", lambda command: command[-1] == "--version")
    with pytest.raises(SystemExit) as ended:
        bootstrap.ensure(["up"])
    assert "Is there a network" in str(ended.value)
    assert not bootstrap.STAMP.exists()


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 15, 0)])
def test_python_that_does_not_fit_is_a_sentence(monkeypatch, version):
    monkeypatch.setattr(bootstrap.sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        bootstrap.ensure(["up"])
    assert "needs Python 3.11 to 3.14" in str(ended.value)


def test_switched_off_bootstrap_touches_nothing(monkeypatch):
    monkeypatch.setenv("STEWARD_BOOTSTRAP", "off")
    monkeypatch.setattr(bootstrap.os, "execv", lambda *_: pytest.fail("started again"))
    bootstrap.ensure(["up"])


def test_bootstrap_needs_nothing_but_the_standard_library():
    source = (ROOT / "config" / "bootstrap.py").read_text()
    named = {line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert named <= set(sys.stdlib_module_names)
    assert importlib.util.find_spec("config").origin == str(ROOT / "config" / "__init__.py")
    assert os.path.getsize(ROOT / "config" / "__init__.py") == 0


def test_bootstrap_and_manage_are_in_words_that_python_3_8_can_read():
    import ast

    for name in ("manage.py", "config/bootstrap.py"):
        ast.parse((ROOT / name).read_text(), feature_version=(3, 8))
