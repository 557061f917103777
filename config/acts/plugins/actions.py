"""What an action offers, and the registry that holds them all.
An action lives in `<app>/actions/<name>.py`; `acts.running.invocations` calls it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from django import forms

from config.kernel.flow.outcomes import Outcome
from config.kernel.plugins.registry import Registry


class NoParameters(forms.Form):
    """For what needs to be told nothing."""


@dataclass(frozen=True)
class Call:
    """What an action is told beside its parameters.

    `key` is the same when a call is started again after a crash or a failure; `state` is what the action gave with Waiting;
    `output` is, for an undo only, what `run` gave with Done.
    """

    id: str
    key: str
    owner: str
    caller: str = ""
    attempt: int = 1
    state: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)


class Action:
    """One deed with an effect outside of our rows. Subclass, fill in what differs, register an instance.

    permission  `standard` or `critical`: which right its owner needs, and what autonomy may start by itself.
    needs       further rights of its owner, where the deed has one of its own, such as `events:publish`.
    runs        `inline` only for what does nothing but our ORM and `kernel.wire.http`; everything else is a `child` process.
    effect      `none` and `idempotent` are started again when a worker dies inside them; `once` then ends with "outcome unknown".
    Parameters  the form that checks the parameters, draws the fields in the admin and describes them in OpenAPI. A field whose
                widget is a PasswordInput is a secret: masked wherever parameters are shown.
    """

    title: ClassVar[str] = ""
    about: ClassVar[str] = ""
    permission: ClassVar[Literal["standard", "critical"]] = "standard"
    needs: ClassVar[Sequence[str]] = ()
    runs: ClassVar[Literal["inline", "child"]] = "child"
    effect: ClassVar[Literal["none", "idempotent", "once"]] = "once"
    timeout_seconds: ClassVar[float | None] = None  # ACTION_TIMEOUT where it is None
    Parameters: ClassVar[type[forms.BaseForm]] = NoParameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Do it. `params` are the cleaned values of the form, as JSON has them. A raised TemporaryError means: again, by policy."""
        raise NotImplementedError

    def undo(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Take it back, in another process, knowing only `params` and `call.output`. Left alone: it cannot be undone."""
        raise NotImplementedError

    def target(self, params: Mapping[str, Any]) -> str:
        """What it works on, as `service:web` or `file:/…`: nobody else touches that meanwhile. Empty: nothing to hold."""
        return ""

    def summary(self, params: Mapping[str, Any]) -> str:
        """What it will do, in a few words that a person can approve."""
        return self.title

    def emits(self, params: Mapping[str, Any]) -> Sequence[str]:
        """The types of event that it publishes, so that rules which feed each other are found when they are saved."""
        return ()

    @property
    def can_undo(self) -> bool:
        """Whether the class has an `undo` of its own."""
        return type(self).undo is not Action.undo


actions: Registry[Action] = Registry("actions", one_file_each=True)
