"""The action run_command with real programs: by name only, its exit code, its time, what it prints."""

import json
import os
import pwd
import sys
from pathlib import Path

import orjson
import psutil
import pytest

from config.kernel.flow.errors import InvalidInput
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from tests.support.deeds import perform

pytestmark = pytest.mark.pure

KEY = "automation.run_command"


@pytest.fixture
def programs(tmp_path, settings):
    """Lists a Python program under each name."""

    def listed(**sources):
        entries = {name: {"argv": [sys.executable, "-c", source], "folder": str(tmp_path)} for name, source in sources.items()}
        file = tmp_path / "commands.json"
        file.write_text(json.dumps(entries))
        settings.STEWARD_COMMANDS_FILE = str(file)
        return tmp_path

    return listed


def test_a_listed_program_runs_in_its_folder_and_what_it_printed_is_kept(programs):
    folder = programs(touch="open('made', 'w').write('x'); print('done'); import sys; print('hm', file=sys.stderr)")
    done = perform(KEY, {"program": "touch"})
    assert (folder / "made").read_text() == "x"
    assert done == Done({"exit_code": 0, "stdout": "done\n", "stderr": "hm\n"})


def test_what_it_prints_and_nobody_can_store_has_a_mark_in_its_place(programs):
    programs(binary="import sys; sys.stdout.buffer.write(b'a\\x00b')")
    assert perform(KEY, {"program": "binary"}).output["stdout"] == "a\ufffdb"


def test_it_knows_the_call_and_none_of_our_secrets(programs, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hidden")
    programs(tell="import os; print(os.environ.get('SECRET_KEY'), os.environ['STEWARD_CALL'], os.environ['STEWARD_KEY'])")
    assert perform(KEY, {"program": "tell"}, id="inv_1", key="k").output["stdout"] == "None inv_1 k\n"


def test_another_exit_code_is_a_failure_unless_it_is_expected(programs):
    programs(three="import sys; sys.exit('no disk' if False else 3)")
    failed = perform(KEY, {"program": "three"})
    assert isinstance(failed, Failed)
    assert (failed.code, "exit code 3" in failed.message) == ("exit_code", True)
    assert perform(KEY, {"program": "three", "expected_codes": [0, 3]}).output["exit_code"] == 3


def test_its_last_words_are_in_the_failure_without_secrets(programs):
    programs(bad="import sys; sys.exit('cannot log in: password=hunter22')")
    failed = perform(KEY, {"program": "bad"})
    assert "cannot log in" in failed.message
    assert "hunter22" not in failed.message


@pytest.mark.parametrize("session", ["", ", start_new_session=True"])
def test_a_program_that_takes_too_long_is_gone_with_its_children(programs, session):
    source = f"import os, subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']{session})"
    folder = programs(slow=f"{source}; open('pids', 'w').write(f'{{os.getpid()}} {{p.pid}}'); time.sleep(60)")
    failed = perform(KEY, {"program": "slow", "timeout_seconds": 2})
    assert failed.code == "timeout"
    started = [psutil.Process(int(pid)) for pid in (folder / "pids").read_text().split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(started, timeout=10)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_output_is_capped(programs):
    programs(loud="print('x' * 1_000_000)", wild="import os; [os.write(n, bytes(range(256)) * 1000) for n in (1, 2)]")
    assert perform(KEY, {"program": "loud"}).output["stdout"].strip("x") == "\n"
    assert len(orjson.dumps(perform(KEY, {"program": "wild"}).output)) < 64 * 1024


def test_a_program_that_prints_for_ever_is_stopped_before_it_fills_the_disk(programs):
    folder = programs(yes="import os; open('pid', 'w').write(str(os.getpid()))\nwhile True: os.write(1, b'y' * 65536)")
    failed = perform(KEY, {"program": "yes", "timeout_seconds": 60})
    assert (failed.code, failed.message) == ("resource_limit", "The program yes printed more than 8 MB and was stopped.")
    assert not psutil.pid_exists(int((folder / "pid").read_text()))


def test_as_another_user_it_has_the_groups_and_the_home_of_that_user(programs, settings):
    programs()
    Path(settings.STEWARD_COMMANDS_FILE).write_text(
        json.dumps({"who": {"argv": ["/bin/sh", "-c", "id -u; id -g; id -G; echo $HOME"], "user": "nobody", "folder": "/"}})
    )
    nobody = pwd.getpwnam("nobody")
    groups = " ".join(map(str, os.getgrouplist("nobody", nobody.pw_gid)))
    outcome = perform(KEY, {"program": "who"})
    if os.geteuid() != 0:  # only root may start a program as somebody else
        assert outcome.code == "not_started"
        return
    assert outcome.output["stdout"].splitlines() == [str(nobody.pw_uid), str(nobody.pw_gid), groups, nobody.pw_dir]


def test_without_a_list_nothing_is_configured(settings):
    settings.STEWARD_COMMANDS_FILE = ""
    assert isinstance(perform(KEY, {"program": "ls"}), NotConfigured)


def test_a_program_that_is_not_listed_is_not_run(programs):
    programs(one="pass")
    failed = perform(KEY, {"program": "/bin/ls"})
    assert (failed.code, "there are: one" in failed.message) == ("not_found", True)


def test_arguments_of_the_caller_are_refused(programs):
    programs(one="pass")
    with pytest.raises(InvalidInput, match="arguments"):
        perform(KEY, {"program": "one", "arguments": ["-x"]})
