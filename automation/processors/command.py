"""Works an item off by running a program of this machine: the payload comes on its standard input."""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from config.acts.plugins.processors import Item, Processor, processors
from config.acts.running import programs
from config.acts.running.programs import NoPrograms, NotReadable, Ran
from config.kernel.flow.errors import NotFound, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome

# EX_TEMPFAIL of sysexits.h: "temporary failure, the user is invited to retry".
TEMPORARY = 75
SHOWN = 1000


def known_programs() -> list[tuple[str, str]]:
    """What may be run here, for the form."""
    return [(name, name) for name in programs.names()]


class Parameters(forms.Form):
    """Which program, and for how long."""

    program = forms.ChoiceField(
        label="Program",
        choices=known_programs,
        help_text="One that the file named by `STEWARD_COMMANDS_FILE` lists. It gets the payload as JSON on its standard input.",
        error_messages={"invalid_choice": "%(value)s is not listed in the file that STEWARD_COMMANDS_FILE names; have it added there."},
    )
    timeout_seconds = forms.IntegerField(
        label="Timeout (seconds)", min_value=1, max_value=86_400, initial=60, help_text="After this long it is stopped, and tried again."
    )


class Command(Processor):
    """Exit status 0: done, and what it printed is the result. 75: again, by the queue's policy. Any other: failed."""

    title = "Command"
    about = "Runs a listed program with the payload on its standard input. Exit status 0 means done, 75 again, everything else failed."
    Parameters = Parameters

    def process(self, item: Item, params: Mapping[str, Any]) -> Outcome:
        """One run. The program is told the item by STEWARD_ITEM_ID, _KEY and _ATTEMPT; no variable of ours is handed on."""
        try:
            program = programs.find(params["program"])
        except (NoPrograms, NotReadable, NotFound) as error:
            return NotConfigured(error.message)
        told = {"STEWARD_ITEM_ID": item.id, "STEWARD_ITEM_KEY": item.key, "STEWARD_ITEM_ATTEMPT": str(item.attempt)}
        timeout = float(params.get("timeout_seconds") or 60)
        try:
            ran = programs.run(program, timeout_seconds=timeout, stdin=orjson.dumps(dict(item.payload)), env=told)
        except OSError as error:
            return NotConfigured(f"The program {program.name} cannot be started: {error.strerror or error}.")
        return _judged(ran, name=program.name, timeout=timeout)


def _judged(ran: Ran, *, name: str, timeout: float) -> Outcome:
    if ran.exit_code == 0:
        return Done({"exit_code": 0, "output": _read(ran.stdout)})
    if ran.exit_code is None:
        raise TemporaryError(f"The program {name} was stopped: its {timeout:g} s were up.", code="timeout")
    said = (ran.stderr.strip() or ran.stdout.strip())[-SHOWN:] or "It said nothing."
    if ran.exit_code == TEMPORARY:
        raise TemporaryError(f"The program {name} asks to be run again (exit status {TEMPORARY}). {said}", code="exit_status")
    return Failed("exit_status", f"The program {name} ended with exit status {ran.exit_code}. {said}")


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


processors.register("automation.command", Command(), module=__name__)
