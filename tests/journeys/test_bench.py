"""`manage.py bench` measures, keeps its ledger and says so. Its numbers are not judged here: they are the machine's."""

import json
import subprocess
import sys

import pytest

from benchmarks import results
from benchmarks.results import Figure, Result
from tests.support import environment

# The command starts servers of its own, so it is the same on every stand.
pytestmark = pytest.mark.pure
OF_RULES = ["actions", "decisions", "schedules", "backtest"]


def bench(tmp_path, *words):
    environ = environment.of_process(tmp_path / "data", STEWARD_BOOTSTRAP="off", REDIS_URL="")
    command = [sys.executable, "manage.py", "bench", *words]
    return subprocess.run(command, cwd=environment.ROOT, env=environ, capture_output=True, text=True, timeout=240, check=False)


def test_a_small_run_prints_figures_and_a_ledger_that_adds_up(tmp_path):
    done = bench(tmp_path, "--scenario", "statements", "--scale", "small", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert not found["void"]
    assert found["machine"]["PostgreSQL"].endswith("(fsync on, synchronous_commit on)")
    [result] = found["results"]
    assert result["ledger"] == {"published": 100, "delivered": 100, "dead": 0, "pending": 0, "received": 100}
    assert [figure["verdict"] for figure in result["figures"] if figure["target"]] == ["ok"]


def test_every_row_of_the_table_has_a_scenario(tmp_path):
    done = bench(tmp_path, "--list")
    assert done.stdout.split() == ["inbound", "batch", "deliveries", "latency", "statements", "recovery", "neighbours", *OF_RULES]


def test_a_scenario_that_is_not_there_is_named(tmp_path):
    done = bench(tmp_path, "--scenario", "teleportation")
    assert done.returncode == 1
    assert "teleportation" in done.stderr


def test_the_table_says_what_is_reached_and_what_is_short():
    figures = [Figure("fast", 1200, "/s", 1000), Figure("slow", 0.2, "s", 0.1, is_less_better=True), Figure("plain", 3, "")]
    text = results.as_text([Result("one", "by hand", figures)], machine={"cores": 2})
    assert [line.split()[-1] for line in text.splitlines() if "fast" in line or "slow" in line] == ["ok", "short"]
    assert "VOID" not in text


def test_a_ledger_that_does_not_add_up_voids_the_run():
    found = [Result("one", "by hand", [Figure("fast", 1200, "/s")], problems=["10 published, but 9 delivered."])]
    assert results.is_void(found)
    assert results.as_text(found, machine={}).rstrip().splitlines()[-1].startswith("VOID")
