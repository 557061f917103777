"""Runs a program of this machine that an operator has listed."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services.effects import fitting
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running import programs
from config.acts.running.forms import JSON
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome
from config.kernel.wire import redact

LONGEST_SECONDS = 3600


class RunCommand(Action):
    """By name and nothing else: its words, its folder and its user are written in STEWARD_COMMANDS_FILE."""

    title = "Run a program"
    about = (
        "Runs one of the programs that STEWARD_COMMANDS_FILE lists, with the arguments that are written there, and keeps what it printed."
    )
    permission = "critical"
    timeout_seconds = LONGEST_SECONDS + 30

    class Parameters(forms.Form):
        """Which program, and what counts as success."""

        program = forms.CharField(max_length=100, help_text="Its name in STEWARD_COMMANDS_FILE.")
        timeout_seconds = forms.FloatField(min_value=1, max_value=LONGEST_SECONDS, initial=60)
        expected_codes = JSON(kind=list, required=False, initial=[0], help_text="Exit codes that mean success.")

        def clean_expected_codes(self) -> list[int]:
            """Whole numbers from 0 to 255, or minus a signal's number."""
            given = self.cleaned_data["expected_codes"] or [0]
            if not all(isinstance(code, int) and not isinstance(code, bool) and -64 <= code <= 255 for code in given):
                raise forms.ValidationError("Exit codes are whole numbers up to 255.")
            return list(given)

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """It is gone with all that it started when its time is up."""
        try:
            program = programs.find(params["program"])
            ran = programs.run(program, timeout_seconds=params["timeout_seconds"], env={"STEWARD_CALL": call.id, "STEWARD_KEY": call.key})
        except programs.NoPrograms as error:
            return NotConfigured(error.message)
        except PermanentError as error:
            return Failed(error.code, error.message)
        except OSError as error:
            return Failed("not_started", f"The program {params['program']} could not be started: {error.strerror or error}.")
        if ran.exit_code is None:
            return Failed(
                "timeout", f"The program {params['program']} was stopped after {params['timeout_seconds']:g} s.{_last_words(ran)}"
            )
        if ran.exit_code not in params["expected_codes"]:
            return Failed("exit_code", f"The program {params['program']} ended with exit code {ran.exit_code}.{_last_words(ran)}")
        return Done(
            {"exit_code": ran.exit_code, "stdout": fitting.tail(redact.text(ran.stdout)), "stderr": fitting.tail(redact.text(ran.stderr))}
        )

    def summary(self, params: Mapping[str, Any]) -> str:
        """The name says what it does, or should."""
        return f"Run the program {params['program']}"


def _last_words(ran: programs.Ran) -> str:
    said = redact.text((ran.stderr.strip() or ran.stdout.strip())[-1000:])
    return f" It said last: {said}" if said else ""


actions.register("automation.run_command", RunCommand(), module=__name__)
