"""A controller whose service lives in this process, for tests of everything around controllers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.flow.outcomes import Done
from healing.models import Service
from healing.services import services

KEY = "healing.pretend"


class PretendParameters(forms.Form):
    """One plain parameter, one secret."""

    place = forms.CharField(max_length=40)
    password = forms.CharField(required=False, widget=forms.PasswordInput)


class Pretend(Controller):
    """Does what it is told at once, unless `is_slow`, `broken` or `standing` says otherwise; `told` is what it was told."""

    title = "Pretended"
    about = "Lives in a test."
    Parameters = PretendParameters

    def __init__(self, instances: int = 1) -> None:
        self.pids = tuple(range(100, 100 + instances))
        self.state = "running"
        self.is_slow = False
        self.counts = True
        self.broken: Any = None
        self.told: list[Any] = []

    def status(self, params: Any) -> Standing:
        return Standing(self.state, len(self.pids) if self.counts else None, "", self.pids if self.counts else ())

    def restart(self, params: Any) -> Any:
        self.told.append("restart")
        if self.broken:
            return self.broken
        if not self.is_slow:
            self.come_back()
        return Done({})

    def come_back(self) -> None:
        self.pids, self.state = tuple(pid + 1000 for pid in self.pids), "running"

    def scale(self, params: Any, instances: int) -> Any:
        self.told.append(instances)
        if self.broken:
            return self.broken
        if not self.is_slow:
            self.pids = tuple(range(100, 100 + instances))
        return Done({})


@contextmanager
def pretended(instances: int = 1) -> Iterator[Pretend]:
    """The controller, installed under KEY within the block."""
    found = Pretend(instances)
    with controllers.swapped(KEY, found):
        yield found


def watched(name: str = "web", **fields: Any) -> Service:
    """A service of that controller to which everything may be done."""
    given = {"params": {"place": "here"}, "may_be_restarted": True, "may_be_scaled": True, "max_instances": 20, **fields}
    return services.register(name=name, controller=KEY, **given)
