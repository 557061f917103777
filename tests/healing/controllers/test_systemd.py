"""The controller of systemd, with a stand-in for `systemctl` that answers as its manual shows and refuses every other word.
This machine is not started by systemd, which the controller says."""

import stat
import sys

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from healing.controllers import systemd

pytestmark = pytest.mark.pure
SYSTEMD = controllers.get("healing.systemd")

# Keeps its units in a file: name, state and main process a line.
STAND_IN = """#!{python}
import fnmatch, pathlib, sys
kept = pathlib.Path({kept!r})
units = dict(line.split(maxsplit=1) for line in kept.read_text().splitlines())
verb, *rest = sys.argv[1:]
words, names = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
if verb == "show":
    assert words == ["--property=Id,LoadState,ActiveState,SubState,MainPID,Result"], words
    found = [name for name in units if any(fnmatch.fnmatch(name, pattern) for pattern in names)]
    blocks = []
    for name in found or [name for name in names if "*" not in name]:
        state, pid = units.get(name, "inactive 0").split()
        load = "loaded" if name in units else "not-found"
        blocks.append(f"MainPID={{pid}}\\nResult=exit-code\\nId={{name}}\\nLoadState={{load}}\\nActiveState={{state}}\\nSubState=x")
    print("\\n\\n".join(blocks))
elif verb in ("restart", "start", "stop"):
    assert words == ["--no-ask-password"], words
    for name in names:
        if name.startswith("locked"):
            sys.exit("Failed to restart locked.service: Access denied")
        pid = int(units.get(name, "x 0").split()[1])
        units[name] = "inactive 0" if verb == "stop" else f"active {{pid + 100}}"
    kept.write_text("".join(f"{{name}} {{rest}}\\n" for name, rest in units.items()))
else:
    sys.exit(f"Unknown command verb {{verb}}.")
"""


@pytest.fixture
def units(tmp_path, monkeypatch, settings):
    """A function that reads the units' states; a machine that systemd runs."""
    kept, program = tmp_path / "units", tmp_path / "systemctl"
    kept.write_text("web.service active 41\nbad.service failed 0\nlocked.service active 7\nworker@1.service active 51\n")
    program.write_text(STAND_IN.format(python=sys.executable, kept=str(kept)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(systemd, "BOOTED", tmp_path)
    settings.SYSTEMD_UNITS = ["web.service", "bad.service", "locked.service", "worker@", "ghost.service"]
    return lambda: dict(line.split(maxsplit=1) for line in kept.read_text().splitlines())


@pytest.mark.parametrize(
    ("unit", "state", "pids"), [("web.service", "running", (41,)), ("bad.service", "failed", ()), ("worker@", "running", (51,))]
)
def test_it_tells_how_a_unit_stands(units, unit, state, pids):
    standing = SYSTEMD.status({"unit": unit})
    assert (standing.state, standing.pids) == (state, pids)


def test_a_unit_that_is_not_loaded_is_unknown(units):
    assert "no unit ghost.service" in SYSTEMD.status({"unit": "ghost.service"}).detail
    assert SYSTEMD.restart({"unit": "ghost.service"}).code == "unknown_unit"


def test_a_restart(units):
    assert SYSTEMD.restart({"unit": "web.service"}) == Done({"units": ["web.service"]})
    assert SYSTEMD.status({"unit": "web.service"}).pids == (141,)


def test_what_polkit_denies_is_a_failure_with_its_words(units):
    outcome = SYSTEMD.restart({"unit": "locked.service"})
    assert isinstance(outcome, Failed)
    assert "Access denied" in outcome.message


def test_a_template_is_scaled_by_its_instances(units):
    assert isinstance(SYSTEMD.scale({"unit": "worker@"}, 3), Done)
    assert units()["worker@1.service"] == "active 51", "what runs is left alone"
    assert SYSTEMD.status({"unit": "worker@"}).instances == 3
    SYSTEMD.scale({"unit": "worker@"}, 1)
    assert [name for name, rest in units().items() if name.startswith("worker") and rest.startswith("active")] == ["worker@1.service"]


def test_one_unit_has_no_number(units):
    assert SYSTEMD.scale({"unit": "web.service"}, 2).code == "no_template"


def test_a_unit_that_the_environment_does_not_list_is_not_touched(units):
    assert isinstance(SYSTEMD.restart({"unit": "sshd.service"}), NotConfigured)
    assert not SYSTEMD.Parameters({"unit": "sshd.service"}).is_valid()
    assert SYSTEMD.Parameters({"unit": "web.service"}).is_valid()


def test_a_machine_that_systemd_does_not_run_says_so(settings, monkeypatch, tmp_path):
    settings.SYSTEMD_UNITS = ["web.service"]
    monkeypatch.setattr(systemd, "BOOTED", tmp_path / "nothing")
    standing = SYSTEMD.status({"unit": "web.service"})
    assert standing.state == "unknown"
    assert "does not run this machine" in standing.detail
    assert isinstance(SYSTEMD.restart({"unit": "web.service"}), NotConfigured)
    assert isinstance(SYSTEMD.scale({"unit": "web.service"}, 2), NotConfigured)
