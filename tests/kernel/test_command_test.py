"""The command `test`: what it hands to pytest, how it counts, and when it fails."""

import json

import pytest
from django.core.management import call_command, load_command_class

from config.kernel.management.commands import test as command
from tests.support import environment, servers, stand

pytestmark = pytest.mark.pure

REPORT = """<testsuites><testsuite>
<testcase classname="tests.kernel.test_a" name="test_good" time="0.5"/>
<testcase classname="tests.kernel.test_a" name="test_bad" time="0.1"><failure message="no"/></testcase>
<testcase classname="tests.kernel.test_a" name="test_broken" time="0.1"><error message="no"/></testcase>
<testcase classname="tests.kernel.test_a" name="test_left" time="0"><skipped message="no browser here"/></testcase>
</testsuite></testsuites>"""
SERVERS, ALONE = stand.Stand("servers", {}), stand.Stand("sqlite", {})


def _options(*words):
    return load_command_class("config.kernel", "test").create_parser("manage.py", "test").parse_args(list(words))


def test_what_it_does_not_know_goes_to_pytest_in_order():
    options = _options("--quick", "tests/kernel", "-k", "sqlite", "--stand", "sqlite", "-x")
    assert (options.quick, options.stand, options.pytest) == (True, "sqlite", ["tests/kernel", "-k", "sqlite", "-x"])


def test_the_parallel_part_leaves_out_what_must_run_alone(tmp_path):
    argv = stand._command(SERVERS, "parallel", True, ["tests/kernel"], tmp_path / "r.xml")
    assert argv[argv.index("-m", 2) + 1] == "(not serial)"
    assert argv[-1] == "tests/kernel"


def test_tests_with_real_processes_run_two_files_at_once(tmp_path):
    argv = stand._command(SERVERS, "serial", True, [], tmp_path / "r.xml")
    assert argv[argv.index("-m", 2) + 1] == "(serial and not alone)"
    assert argv[argv.index("-n") : argv.index("-n") + 4] == ["-n", "2", "--dist", "loadfile"]


def test_what_strikes_or_measures_runs_without_workers(tmp_path):
    argv = stand._command(SERVERS, "alone", True, [], tmp_path / "r.xml")
    assert argv[argv.index("-m", 2) + 1] == "(alone)"
    assert "no:xdist" in argv
    assert "-n" not in argv


def test_pure_tests_are_left_out_on_the_second_stand(tmp_path):
    argv = stand._command(SERVERS, "parallel", False, [], tmp_path / "r.xml")
    assert "(not serial) and (not pure)" in argv


def test_races_are_left_out_where_one_writes_after_the_other(tmp_path):
    argv = stand._command(ALONE, "parallel", True, [], tmp_path / "r.xml")
    assert "(not serial) and (not races)" in argv


def test_the_persons_own_marks_are_kept(tmp_path):
    argv = stand._command(SERVERS, "parallel", True, ["-m", "pure or slow", "-x"], tmp_path / "r.xml")
    assert "(pure or slow) and (not serial)" in argv
    assert argv.count("-m") == 2  # python -m pytest, and one expression


def test_the_report_is_counted_and_skips_keep_their_reason(tmp_path):
    report, outcome = tmp_path / "r.xml", stand.Outcome("sqlite")
    report.write_text(REPORT)
    stand._read(report, outcome)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 2, 1)
    assert outcome.failures == ["tests/kernel/test_a.py::test_bad", "tests/kernel/test_a.py::test_broken"]
    assert outcome.skips == {"tests/kernel/test_a.py::test_left": "no browser here"}


@pytest.mark.parametrize(
    ("outcome", "no_skip", "good"),
    [
        (stand.Outcome("sqlite", passed=3), True, True),
        (stand.Outcome("sqlite", passed=3, skipped=1), False, True),
        (stand.Outcome("sqlite", passed=3, skipped=1), True, False),
        (stand.Outcome("sqlite", passed=3, failed=1), False, False),
        (stand.Outcome("sqlite"), False, False),
        (stand.Outcome("sqlite", passed=3, problems=["pytest ended with status 3"]), False, False),
    ],
)
def test_a_run_is_good_when_something_passed_and_nothing_failed(outcome, no_skip, good):
    assert command._is_good([outcome], no_skip) is good


def test_a_stand_without_servers_is_a_loud_skip(monkeypatch, capsys):
    def missing(*_, **__):
        raise servers.Unavailable("PostgreSQL is missing: install it")

    monkeypatch.setattr(stand, "made", missing)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        call_command("test", "--stand", "servers")
    printed = capsys.readouterr().out
    assert end.value.code == 1
    assert "PostgreSQL is missing: install it" in printed
    assert printed.strip().splitlines()[-1] == "0 passed, 0 failed, 1 skipped"


def test_json_holds_the_sums_and_the_stands(monkeypatch, capsys):
    outcomes = [stand.Outcome("sqlite", passed=2), stand.Outcome("servers", passed=1)]
    monkeypatch.setattr(command.Command, "_run_all", lambda *_, **__: outcomes)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        call_command("test", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert (answer["passed"], [one["stand"] for one in answer["stands"]]) == (3, ["sqlite", "servers"])


def test_no_setting_of_the_person_reaches_the_tests(monkeypatch):
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "mine")
    monkeypatch.setenv("WEBHOOK_DEFAULT_RETRIES", "9")
    monkeypatch.setenv("HOME_OF_NOBODY", "kept")
    bare = environment.bare()
    assert {"GITHUB_WEBHOOK_SECRET", "WEBHOOK_DEFAULT_RETRIES"} & set(bare) == set()
    assert bare["HOME_OF_NOBODY"] == "kept"


def test_an_end_from_outside_is_an_end_in_order(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.Command, "_run_all", interrupted)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        call_command("test")
    assert end.value.code == 130
    assert "Ended before" in capsys.readouterr().err
