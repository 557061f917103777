"""Units of systemd, by `systemctl`. SYSTEMD_UNITS lists which; whether we may is for polkit to say."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.acts.running import programs
from config.acts.running.programs import Program, Ran
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome

# There when, and only when, systemd is what started this machine (sd_booted).
BOOTED = Path("/run/systemd/system")
LOOK_SECONDS = 10.0
DEED_SECONDS = 120.0
SHOWN = "Id,LoadState,ActiveState,SubState,MainPID,Result"
STATES = {
    "active": "running",
    "reloading": "running",
    "activating": "starting",
    "deactivating": "stopped",
    "inactive": "stopped",
    "failed": "failed",
}


def _choices() -> list[tuple[str, str]]:
    return [(unit, unit) for unit in settings.SYSTEMD_UNITS]


class SystemdParameters(forms.Form):
    """Which unit."""

    unit = forms.ChoiceField(
        choices=_choices,
        help_text="One of SYSTEMD_UNITS. A template such as `worker@` can be scaled, to worker@1, worker@2 …",
    )


class Systemd(Controller):
    """A unit; of a template as many instances as are asked for."""

    title = "systemd"
    about = "A unit of systemd on this machine, named in SYSTEMD_UNITS."
    Parameters = SystemdParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        if missing := _missing(params["unit"]):
            return Standing("unknown", detail=missing)
        units, problem = _shown(params["unit"])
        return _standing(units) if units else Standing("unknown", detail=problem or f"There is no unit {params['unit']}.")

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        if missing := _missing(params["unit"]):
            return NotConfigured(missing)
        units, problem = _shown(params["unit"])
        names = [unit["Id"] for unit in units] or ([_instance(params["unit"], 1)] if _is_template(params["unit"]) else [])
        return _do("restart", names) if names else Failed("unknown_unit", problem or f"There is no unit {params['unit']}.")

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        unit = params["unit"]
        if missing := _missing(unit):
            return NotConfigured(missing)
        if not _is_template(unit):
            return Failed("no_template", f"{unit} is one unit and cannot be scaled; a template such as worker@ can.")
        units, _ = _shown(unit)
        up = {one["Id"] for one in units if one["ActiveState"] in ("active", "activating", "reloading")}
        wanted = [_instance(unit, number) for number in range(1, instances + 1)]
        started = _do("start", [name for name in wanted if name not in up])
        return started if isinstance(started, Failed) else _do("stop", sorted(up - set(wanted)))


def _missing(unit: str) -> str:
    """A sentence of what is not configured, or nothing."""
    if shutil.which("systemctl") is None or not BOOTED.is_dir():
        return "Not configured: systemd does not run this machine."
    return (
        "" if unit in settings.SYSTEMD_UNITS else f"Not configured: {unit} is not named in SYSTEMD_UNITS, which lists what may be steered."
    )


def _is_template(unit: str) -> bool:
    return unit.removesuffix(".service").endswith("@")


def _instance(unit: str, number: int) -> str:
    return f"{unit.removesuffix('.service')}{number}.service"


def _shown(unit: str) -> tuple[list[dict[str, str]], str]:
    """The unit, or the loaded instances of a template, as `systemctl show` describes them; and what it said when it could not."""
    pattern = f"{unit.removesuffix('.service')}*.service" if _is_template(unit) else unit
    ran = _systemctl(["show", f"--property={SHOWN}", "--", pattern], seconds=LOOK_SECONDS)
    if ran.exit_code != 0:
        return [], ran.stderr.strip()[-300:] or "systemctl did not answer in time."
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in ran.stdout.strip().split("\n\n")]
    return [block for block in blocks if block.get("Id") and block.get("LoadState") != "not-found"], ""


def _standing(units: Sequence[Mapping[str, str]]) -> Standing:
    states = [STATES.get(unit["ActiveState"], "unknown") for unit in units]
    state = next((word for word in ("running", "starting", "failed", "stopped") if word in states), "unknown")
    detail = "; ".join(f"{unit['Id']} failed: {unit.get('Result', '')}" for unit in units if unit["ActiveState"] == "failed")
    pids = tuple(int(pid) for unit in units if (pid := unit.get("MainPID", "0")).isdigit() and int(pid))
    return Standing(state, states.count("running"), detail[:500], pids)


def _do(verb: str, units: Sequence[str]) -> Outcome:
    if not units:
        return Done({"units": []})
    ran = _systemctl([verb, "--no-ask-password", "--", *units], seconds=DEED_SECONDS)
    if ran.exit_code == 0:
        return Done({"units": list(units)})
    said = ran.stderr.strip()[-300:] or f"it took longer than {DEED_SECONDS:g} s"
    return Failed("systemctl", f"systemctl {verb} {' '.join(units)} failed: {said}")


def _systemctl(words: Sequence[str], *, seconds: float) -> Ran:
    path = shutil.which("systemctl") or "systemctl"
    return programs.run(Program("systemctl", (path, *words)), timeout_seconds=seconds, env={"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""})


controllers.register("healing.systemd", Systemd(), module=__name__)
