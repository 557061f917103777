"""The controller that runs programs of this machine, with real ones."""

import json
import stat

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured

pytestmark = pytest.mark.pure
ARGV = controllers.get("healing.argv")
PARAMS = {"status_program": "status", "restart_program": "restart", "scale_program": "scale"}


@pytest.fixture
def program(tmp_path, settings):
    """A function: name and lines of shell → that program is allowed."""
    listed = {}
    settings.STEWARD_COMMANDS_FILE = str(tmp_path / "commands.json")

    def allow(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        listed[name] = {"argv": [str(path)], "folder": str(tmp_path)}
        (tmp_path / "commands.json").write_text(json.dumps(listed))

    return allow


@pytest.mark.parametrize(("code", "state"), [(0, "running"), (1, "failed"), (2, "failed"), (3, "stopped"), (4, "unknown"), (77, "unknown")])
def test_the_exit_status_is_read_as_that_of_an_init_script(program, code, state):
    program("status", "echo it said so", f"exit {code}")
    standing = ARGV.status(PARAMS)
    assert (standing.state, standing.instances) == (state, None)
    assert "it said so" in standing.detail


def test_json_tells_more(program):
    program("status", """echo '{"state": "running", "instances": 2, "pids": [11, 12], "detail": "two of two"}'""")
    standing = ARGV.status(PARAMS)
    assert (standing.state, standing.instances, standing.pids, standing.detail) == ("running", 2, (11, 12), "two of two")


@pytest.mark.parametrize("said", ["[]", '{"state": "sleepy"}', "42", '{"instances": 3}'])
def test_other_json_is_not_taken_for_an_answer(program, said):
    program("status", f"echo '{said}'", "exit 3")
    assert ARGV.status(PARAMS).state == "stopped"


def test_a_restart_is_the_program_and_nothing_else(program, tmp_path):
    program("restart", "echo $# > restarted")
    assert ARGV.restart(PARAMS) == Done({"program": "restart", "exit_code": 0})
    assert (tmp_path / "restarted").read_text() == "0\n"


def test_scaling_hands_the_number_over_in_the_environment(program, tmp_path):
    program("scale", 'echo "$STEWARD_INSTANCES" > wanted')
    assert isinstance(ARGV.scale(PARAMS, 7), Done)
    assert (tmp_path / "wanted").read_text() == "7\n"


def test_our_own_secrets_do_not_reach_it(program, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    program("restart", "env > seen")
    ARGV.restart(PARAMS)
    assert "do not tell" not in (tmp_path / "seen").read_text()


def test_a_program_that_fails_is_a_failure_with_what_it_said(program):
    program("restart", "echo the disk is full >&2", "exit 5")
    outcome = ARGV.restart(PARAMS)
    assert isinstance(outcome, Failed)
    assert "ended with 5. the disk is full" in outcome.message


def test_what_is_not_there_is_not_configured_or_unknown(program, settings):
    assert isinstance(ARGV.restart({**PARAMS, "restart_program": ""}), NotConfigured)
    program("status", "exit 0")
    assert ARGV.scale(PARAMS, 2).code == "no_program"
    assert "there are: status" in ARGV.status({"status_program": "other"}).detail
    settings.STEWARD_COMMANDS_FILE = ""
    assert isinstance(ARGV.restart(PARAMS), NotConfigured)
    assert ARGV.status(PARAMS).state == "unknown"


def test_a_program_that_cannot_be_started(program, tmp_path):
    program("status", "exit 0")
    program("restart", "exit 0")
    (tmp_path / "status").unlink()
    (tmp_path / "restart").unlink()
    assert "could not be started" in ARGV.status(PARAMS).detail
    assert ARGV.restart(PARAMS).code == "not_started"


def test_the_form_offers_what_may_be_run(program):
    program("status", "exit 0")
    assert ARGV.Parameters({"status_program": "status"}).is_valid()
    assert "status_program" in ARGV.Parameters({"status_program": "rm"}).errors
