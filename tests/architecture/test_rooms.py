"""Every module is in a declared room, or it does not exist. Who may import whom is checked by import-linter (pyproject.toml)."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("webhooks", "automation", "workflows", "healing")
DOORS = "api admin dashboard inbound management tasks subscribers facade".split()
PLUGINS = "actions triggers checks fixers controllers routers processors samplers playbooks".split()
APP_ROOMS = ["apps", "migrations", "urls", *DOORS, *PLUGINS, "forms", "services", "engine", "models", "enums", "event_types"]
ROOF = "bootstrap apps admin urls dashboard facade celery asgi wsgi settings look doors acts".split()
KERNEL = "flow wire limits watch series language plugins desk models management migrations apps enums event_types duties tasks".split()
OUTSIDE = ("tests/", "benchmarks/", "examples/", "clients/python/", "deploy/")


def product_files() -> list[str]:
    """Paths of every module that is committed or about to be, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for path in sorted(set(listed.stdout.split())) if (ROOT / path).exists()]


def _problem(path: str) -> str:
    """A sentence when the file is in no room."""
    parts = path.removesuffix(".py").split("/")
    if path == "manage.py" or path.startswith(OUTSIDE):
        return ""
    if parts[0] == "config" and len(parts) > 1:
        where, rooms = (parts[2], KERNEL) if parts[1] == "kernel" and len(parts) > 2 else (parts[1], [*ROOF, "kernel"])
    elif parts[0] in APPS and len(parts) > 1:
        where, rooms = parts[1], APP_ROOMS
    else:
        return f"{path} is in no room: the product is manage.py, config/ and the apps {', '.join(APPS)}"
    if where == "__init__" or where in rooms:
        return ""
    return f"{path} is in no declared room; move it to one of: {', '.join(rooms)} (docs/architecture.md says what each holds)"


def test_every_module_is_in_a_declared_room():
    assert [problem for path in product_files() if (problem := _problem(path))] == []


@pytest.mark.parametrize(
    "path", ["webhooks/utils.py", "config/helpers.py", "config/kernel/misc.py", "common/things.py", "webhooks/lib/x.py", "setup.py"]
)
def test_a_module_in_no_room_is_found(path):
    assert path in _problem(path)


@pytest.mark.parametrize("path", ["webhooks/engine/policy.py", "config/kernel/flow/clock.py", "config/__init__.py", "healing/__init__.py"])
def test_a_module_in_its_room_is_not(path):
    assert _problem(path) == ""


def test_packages_that_only_group_hold_no_code():
    """`config/__init__.py` is imported before everything else; code there would run before the environment exists."""
    assert (ROOT / "config" / "__init__.py").read_text().strip() == ""


def test_only_services_and_the_kernel_open_transactions():
    opening = [
        path
        for path in product_files()
        if path.split("/")[0] in APPS
        and "/services/" not in path
        and re.search(r"\btransaction\.(atomic|on_commit)\b", (ROOT / path).read_text())
    ]
    assert opening == [], "transactions are opened by services only; move the deed there"


def test_nothing_but_the_clock_asks_for_the_time():
    """Frozen tests and moved clocks work because there is one clock. Bootstrap and commands measure their own duration."""
    asking = []
    for path in product_files():
        if path.startswith(OUTSIDE) or path.endswith("flow/clock.py") or "/migrations/" in path:
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                if called in ("timezone.now", "datetime.now", "datetime.utcnow", "date.today", "time.time"):
                    asking.append(f"{path}:{node.lineno} {called}")
    assert asking == [], "take the time from config.kernel.flow.clock.now()"


def test_product_code_never_asks_whether_it_is_tested():
    marks = re.compile(r"PYTEST|sys\.argv\[1\] == .test|TESTING\b")
    asking = [
        path
        for path in product_files()
        if not path.startswith(OUTSIDE) and path != "config/settings/test.py" and marks.search((ROOT / path).read_text())
    ]
    assert asking == []


def test_the_four_apps_are_installed():
    from django.apps import apps

    assert {app for app in APPS if apps.is_installed(app)} == set(APPS)
