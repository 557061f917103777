"""What a controller offers: looking at, restarting and scaling a service.
It lives in `healing/controllers/<name>.py` or in a third party's app."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms

from config.acts.plugins.actions import NoParameters
from config.kernel.flow.outcomes import Outcome
from config.kernel.plugins.registry import Registry


@dataclass(frozen=True)
class Standing:
    """How a service stands: `running, starting, stopped, failed` or `unknown`, how many instances, and a sentence.

    `pids` are its processes where the controller knows them: a restart is proved by their having changed.
    """

    state: str
    instances: int | None = None
    detail: str = ""
    pids: tuple[int, ...] = ()


class Controller:
    """How one kind of service is looked at, restarted and scaled. `params` are the cleaned values of `Parameters`."""

    title: ClassVar[str] = ""
    about: ClassVar[str] = ""
    can_scale: ClassVar[bool] = True
    Parameters: ClassVar[type[forms.BaseForm]] = NoParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        """Ask; `unknown` with a sentence when nobody answers or nothing is configured. Never raises for that."""
        raise NotImplementedError

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        """Stop and start it again, and wait until it stands (or say that it does not)."""
        raise NotImplementedError

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        """Have `instances` of it. The caller has bounded the number."""
        raise NotImplementedError


controllers: Registry[Controller] = Registry("controllers", one_file_each=True)
