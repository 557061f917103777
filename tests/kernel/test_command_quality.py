"""The command `quality`: each check finds its fault, and one failure fails the whole."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.core.management import call_command

from config.kernel.management.commands import quality

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def only(monkeypatch):
    """Replace the checks by the given ones: name → status."""

    def replace(**statuses):
        checks = {name: (lambda name=name, status=status: quality.Result(name, status, "why")) for name, status in statuses.items()}
        monkeypatch.setattr(quality, "CHECKS", checks)

    monkeypatch.setenv("DATA_DIR", "kept")
    return replace


def test_all_good_ends_with_zero(only, capsys):
    only(format="ok", lint="ok")
    with pytest.raises(SystemExit) as end:
        call_command("quality")
    assert end.value.code == 0
    assert "2 of 2 checks passed" in capsys.readouterr().out


def test_one_failure_fails_the_whole_and_says_why(only, capsys):
    only(format="ok", lint="failed")
    with pytest.raises(SystemExit) as end:
        call_command("quality")
    assert end.value.code == 1
    printed = capsys.readouterr().out
    assert "mend: lint" in printed
    assert "        why" in printed


def test_a_check_that_cannot_run_here_is_named_and_does_not_fail(only, capsys):
    only(locks="skipped")
    with pytest.raises(SystemExit) as end:
        call_command("quality")
    assert end.value.code == 0
    assert "skipped" in capsys.readouterr().out


def test_json_holds_every_check(only, capsys):
    only(format="ok", lint="failed")
    with pytest.raises(SystemExit):
        call_command("quality", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], [check["name"] for check in answer["checks"]]) == (False, ["format", "lint"])


def test_only_the_chosen_checks_run(only, capsys):
    only(format="failed", lint="ok")
    with pytest.raises(SystemExit) as end:
        call_command("quality", "--only", "lint")
    assert end.value.code == 0


def test_format_and_lint_are_checked(tmp_path, monkeypatch):
    (tmp_path / "ugly.py").write_text("import os\nx = {  'a':1 }\n")
    monkeypatch.setattr(quality, "ROOT", tmp_path)
    assert (quality._format().status, quality._lint().status) == ("failed", "failed")
    (tmp_path / "ugly.py").write_text('x = {"a": 1}\n')
    assert (quality._format().status, quality._lint().status) == ("ok", "ok")


def test_the_types_are_checked_strictly():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    loosened = [module for override in settings["overrides"] if "disable_error_code" in override for module in override["module"]]
    assert settings["strict"] is True
    assert {"config", "webhooks", "automation", "workflows", "healing"} <= set(settings["files"])
    assert loosened == ["tests.*", "benchmarks.*"]


@pytest.mark.parametrize(
    "line", ["--index-url https://x.example/simple", "see /" + "work/main/x", 'open("/' + 'root/.ssh")', "/" + "home/anna/notes"]
)
def test_private_places_are_found(line, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "page.md").write_text(f"{line}\n")
    subprocess.run(["git", "add", "page.md"], cwd=tmp_path, check=True)
    monkeypatch.setattr(quality, "ROOT", tmp_path)
    assert quality._private().status == "failed"


def test_public_places_are_no_fault(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "page.md").write_text("framework/root/x https://example.com/work/a ${HOME}/work/ /usr/lib\n")
    subprocess.run(["git", "add", "page.md"], cwd=tmp_path, check=True)
    monkeypatch.setattr(quality, "ROOT", tmp_path)
    assert quality._private() == quality.Result("private", "ok")


def test_a_commit_is_held_to_format_and_lint_by_the_same_command():
    [words] = re.findall(r"entry: python3 manage.py quality (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    given = quality.Command().create_parser("manage.py", "quality").parse_args(words.split())
    assert given.only == ["format", "lint"]
