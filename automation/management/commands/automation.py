"""`manage.py automation …`: the master switch, how automation stands, and its seven values."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from automation.services import control
from config.kernel.management.deeds import Deed, DeedCommand


def switch(deed: Any) -> Any:
    """A deed that starts or stops."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        changed = bool(deed())
        return {**asdict(control.status()), "changed": changed}

    return do


def config(given: Mapping[str, Any]) -> dict[str, Any]:
    """The seven values; those that were given are changed first."""
    changes = {name: given[name] for name in control.CONFIG if given[name] is not None}
    return control.configure(changes) if changes else control.config()


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "Start and stop automation, say how it stands, and read or change its configuration."
    deeds = {
        "status": Deed("Running or stopped, rules that are on, success rate and mean time.", lambda given: asdict(control.status())),
        "start": Deed("Let rules act.", switch(control.start)),
        "stop": Deed("Nothing starts by itself any more; what runs ends.", switch(control.stop)),
        "config": Deed(
            "Read the seven values, or change some.",
            config,
            {
                f"--{name.replace('_', '-')}": {"default": None, "help": f"Sets the option {option}."}
                for name, option in control.CONFIG.items()
            },
        ),
        "profile": Deed(
            "Set all seven to those of a profile.",
            lambda given: control.apply_profile(given["profile"]),
            {"profile": {"choices": list(control.PROFILES), "help": "default, or production as the requirements have it."}},
        ),
    }
