"""What a processor offers: working off one item of a queue. It lives in `<app>/processors/<name>.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms

from config.acts.plugins.actions import NoParameters
from config.kernel.flow.outcomes import Outcome
from config.kernel.plugins.registry import Registry


@dataclass(frozen=True)
class Item:
    """One waiting thing, as its processor sees it. `key` is the same when it is tried again."""

    id: str
    key: str
    queue: str
    payload: Mapping[str, Any]
    attempt: int = 1


class Processor:
    """Works off items of the queues that name it. `params` are the cleaned values of `Parameters`, kept on the queue."""

    title: ClassVar[str] = ""
    about: ClassVar[str] = ""
    Parameters: ClassVar[type[forms.BaseForm]] = NoParameters

    def process(self, item: Item, params: Mapping[str, Any]) -> Outcome:
        """Do it. A raised TemporaryError means: again, by the queue's policy."""
        raise NotImplementedError


processors: Registry[Processor] = Registry("processors", one_file_each=True)
