"""Programs under a supervisord, by its XML-RPC interface (supervisord.org/api.html). SUPERVISOR_URL says where it listens."""

import re
import xmlrpc.client
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome
from healing.services import sockets
from healing.services.sockets import Ask

Process = Mapping[str, Any]

LOOK_SECONDS = 5.0
# A program may take its `stopwaitsecs` (10 by default) to end; not waited for so long, it would stay stopped.
STOP_SECONDS = 240.0
CONFIGURE = "Not configured: set SUPERVISOR_URL (unix:///path/of/supervisor.sock or http://user:password@host:port)."
UP = ("RUNNING", "STARTING", "BACKOFF")
ALREADY_STARTED, NOT_RUNNING = 60, 70


class Unreachable(Exception):
    """supervisord did not answer, or did not let us in; says why."""


class SupervisorParameters(forms.Form):
    """Which program."""

    program = forms.CharField(
        max_length=200,
        help_text="A program or group, as in [program:web], or one member, web:web_00. With numprocs it can be scaled.",
    )


class Supervisor(Controller):
    """One program, or a group of the same ones: its instances are the members that run."""

    title = "supervisor"
    about = "A program under supervisord. Scaling starts and stops members of its group, up to `numprocs`."
    Parameters = SupervisorParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        if not settings.SUPERVISOR_URL:
            return Standing("unknown", detail=CONFIGURE)
        try:
            members = _members(params["program"])
        except (Unreachable, xmlrpc.client.Fault) as error:
            return Standing("unknown", detail=_said(error))
        if not members:
            return Standing("unknown", detail=f"supervisord knows no program {params['program']!r}.")
        return _standing(members)

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        if not settings.SUPERVISOR_URL:
            return NotConfigured(CONFIGURE)
        try:
            members = _members(params["program"])
            if not members:
                return Failed("unknown_program", f"supervisord knows no program {params['program']!r}; `supervisorctl status` names all.")
            # Members that scaling has stopped stay so; when nothing runs, the first is meant.
            chosen = [one for one in members if one["statename"] != "STOPPED"] or members[:1]
            for one in chosen:
                _stop(one)
                _start(one)
        except (Unreachable, xmlrpc.client.Fault) as error:
            return Failed("supervisor", f"{params['program']} could not be restarted: {_said(error)}")
        return Done({"members": [_name(one) for one in chosen]})

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        if not settings.SUPERVISOR_URL:
            return NotConfigured(CONFIGURE)
        try:
            members = _members(params["program"])
            if instances > len(members):
                return Failed(
                    "too_few_members",
                    f"supervisord has {len(members)} members of {params['program']!r}, not {instances}. Raise its numprocs, then "
                    "`supervisorctl update`.",
                )
            up = [one for one in members if one["statename"] in UP]
            for one in [one for one in members if one not in up][: max(0, instances - len(up))]:
                _start(one)
            for one in up[instances:]:
                _stop(one)
        except (Unreachable, xmlrpc.client.Fault) as error:
            return Failed("supervisor", f"{params['program']} could not be scaled: {_said(error)}")
        return Done({"instances": instances})


def _members(program: str) -> list[Process]:
    """The processes of that name or group, in the order in which a person counts them."""
    found = _call("supervisor.getAllProcessInfo")
    return sorted((one for one in found if program in (one["group"], one["name"], _name(one))), key=_counted)


def _counted(one: Process) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(one["name"]))]


def _name(one: Process) -> str:
    return f"{one['group']}:{one['name']}"


def _standing(members: Sequence[Process]) -> Standing:
    states = [str(one["statename"]) for one in members]
    running = [one for one in members if one["statename"] == "RUNNING"]
    bad = [one for one in members if one["statename"] in ("FATAL", "BACKOFF") or (one["statename"] == "EXITED" and one["exitstatus"])]
    detail = "; ".join(f"{_name(one)} is {one['statename']}: {one['spawnerr'] or one['description']}" for one in bad[:3])
    if running:
        state = "running"
    elif "STARTING" in states:
        state = "starting"
    elif bad:
        state = "failed"
    else:
        state = "unknown" if "UNKNOWN" in states else "stopped"
    return Standing(state, len(running), detail, tuple(int(one["pid"]) for one in running))


def _stop(one: Process) -> None:
    _call("supervisor.stopProcess", _name(one), True, seconds=STOP_SECONDS, but=NOT_RUNNING)


def _start(one: Process) -> None:
    # Whether it stays up is seen by whoever looks afterwards: waiting here would take its `startsecs`.
    _call("supervisor.startProcess", _name(one), False, but=ALREADY_STARTED)


def _call(method: str, *words: Any, seconds: float = LOOK_SECONDS, but: int = 0) -> Any:
    """One call. `but`: the fault that means that it is so already. Raises Unreachable and Fault."""
    body = xmlrpc.client.dumps(words, method).encode()
    wanted = Ask(settings.SUPERVISOR_URL, "/RPC2", "POST", body, {"Content-Type": "text/xml"}, timeout_seconds=seconds)
    answer = sockets.ask(wanted)
    if answer.status != 200:
        raise Unreachable(answer.error or f"supervisord answered {answer.status}; SUPERVISOR_URL may lack its user and password.")
    try:
        return xmlrpc.client.loads(answer.body)[0][0]
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == but:
            return True
        raise
    except (ValueError, IndexError, xmlrpc.client.Error, SyntaxError) as error:
        raise Unreachable(f"what answered at SUPERVISOR_URL is no supervisord ({type(error).__name__}).") from None


def _said(error: Exception) -> str:
    return f"supervisord said {error.faultString}." if isinstance(error, xmlrpc.client.Fault) else str(error)


controllers.register("healing.supervisor", Supervisor(), module=__name__)
