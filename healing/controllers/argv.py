"""Services that programs of this machine steer: those of STEWARD_COMMANDS_FILE, chosen by name.

status   ends with 0 running, 3 stopped (or 1, 2: dead), as init scripts do; or prints {"state", "instances", "pids", "detail"}
restart  ends with 0
scale    gets the number in STEWARD_INSTANCES, and ends with 0
"""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.acts.running import programs
from config.acts.running.programs import Ran
from config.kernel.flow.errors import NotFound, PermanentError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome

STATUS_SECONDS = 10.0
DEED_SECONDS = 240.0
STATES = ("running", "starting", "stopped", "failed", "unknown")
BY_EXIT_CODE = {0: "running", 1: "failed", 2: "failed", 3: "stopped"}


def _choices() -> list[tuple[str, str]]:
    return [("", "none"), *((name, name) for name in programs.names())]


class ArgvParameters(forms.Form):
    """Which programs do what."""

    status_program = forms.ChoiceField(choices=_choices, help_text="Says how it stands: by its exit status, or in JSON.")
    restart_program = forms.ChoiceField(choices=_choices, required=False, help_text="Restarts it. None: it cannot be restarted.")
    scale_program = forms.ChoiceField(choices=_choices, required=False, help_text="Has STEWARD_INSTANCES of it. None: it cannot be scaled.")


class Argv(Controller):
    """Fixed arguments, chosen by name; nothing that a row holds becomes part of a command."""

    title = "Programs of this machine"
    about = "Programs that STEWARD_COMMANDS_FILE lists, one each for status, restart and scaling."
    Parameters = ArgvParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        try:
            ran = programs.run(programs.find(params["status_program"]), timeout_seconds=STATUS_SECONDS)
        except PermanentError as error:
            return Standing("unknown", detail=error.message)
        except OSError as error:
            return Standing("unknown", detail=f"{params['status_program']} could not be started: {error.strerror}.")
        return _told(ran) or _by_exit_code(params["status_program"], ran)

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        return _do(params.get("restart_program") or "", "restarted", {})

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        return _do(params.get("scale_program") or "", "scaled", {"STEWARD_INSTANCES": str(instances)})


def _told(ran: Ran) -> Standing | None:
    """What it printed, where that is JSON of the kind we know."""
    try:
        found = orjson.loads(ran.stdout)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or found.get("state") not in STATES:
        return None
    instances, pids = found.get("instances"), found.get("pids")
    return Standing(
        found["state"],
        instances if type(instances) is int and instances >= 0 else None,  # true is no number
        str(found.get("detail") or "")[:500],
        tuple(pid for pid in pids if isinstance(pid, int)) if isinstance(pids, list) else (),
    )


def _by_exit_code(name: str, ran: Ran) -> Standing:
    if ran.exit_code is None:
        return Standing("unknown", detail=f"{name} took longer than {STATUS_SECONDS:g} s.")
    said = (ran.stdout.strip() or ran.stderr.strip())[-300:]
    return Standing(BY_EXIT_CODE.get(ran.exit_code, "unknown"), detail=f"{name} ended with {ran.exit_code}. {said}".strip())


def _do(name: str, done: str, env: Mapping[str, str]) -> Outcome:
    if not name:
        return NotConfigured(
            f"Not configured: there is no program by which it is {done}. Choose one of STEWARD_COMMANDS_FILE on the service."
        )
    try:
        ran = programs.run(programs.find(name), timeout_seconds=DEED_SECONDS, env=env)
    except programs.NoPrograms as error:
        return NotConfigured(error.message)
    except PermanentError as error:
        missing = isinstance(error, programs.NotReadable | NotFound)
        return Failed("no_program" if missing else error.code, error.message)
    except OSError as error:
        return Failed("not_started", f"{name} could not be started: {error.strerror}.")
    if ran.exit_code == 0:
        return Done({"program": name, "exit_code": 0})
    how = f"took longer than {DEED_SECONDS:g} s" if ran.exit_code is None else f"ended with {ran.exit_code}"
    return Failed("program", f"It was not {done}: {name} {how}. {(ran.stderr.strip() or ran.stdout.strip())[-300:]}".strip())


controllers.register("healing.argv", Argv(), module=__name__)
