"""What a plug-in of each kind must offer, and the registries that hold them. Called by the kernel and the dashboard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from config.kernel.plugins.registry import Registry

if TYPE_CHECKING:
    from django.http import HttpRequest

    from config.kernel.models import Event, Notification


class Subscriber(Protocol):
    """Hears events, a list at a time. Must be idempotent by a unique key of its own that holds the event's id."""

    def hear(self, events: "Sequence[Event]") -> None:
        """Take the events, in one transaction of the caller's. An error brings them again one by one."""


class Duty(Protocol):
    """Work that rows ask for. The sweep and the nudges run it; it may run twice at once without harm."""

    queue: str

    def due_count(self, now: datetime) -> int:
        """How many rows are due; cheap, may stop counting early."""

    def work(self, now: datetime, limit: int) -> int:
        """Do up to `limit` of them; how many were done. The caller calls again while this equals what was asked."""


@dataclass(frozen=True)
class Probed:
    """The state of one component: `healthy, warning, critical, unknown` or `disabled`, and a sentence."""

    status: str
    detail: str = ""


Probe = Callable[[], Probed]
"""A health check; must end within the deadline it is given by `kernel.watch.health`, raises when it cannot tell."""


@dataclass(frozen=True)
class Found:
    """Where the search box leads."""

    title: str
    url: str


Finder = Callable[[str], "Found | None"]
"""From an id (or a name) to its page; None when there is no such row."""


@dataclass(frozen=True)
class Moment:
    """One line of an event's story: when, what kind, a sentence, where to read on, and how it went (`ok, bad, held, info`)."""

    at: datetime
    kind: str
    text: str
    url: str = ""
    tone: str = "info"
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Panel:
    """A part of the overview page: `template` drawn with what `context(request)` returns; `order` from top to bottom."""

    title: str
    template: str
    context: "Callable[[HttpRequest], Mapping[str, Any]]"
    order: int = 100
    scope: str = ""


@dataclass(frozen=True)
class Page:
    """An entry of the navigation."""

    title: str
    url: str
    group: str
    order: int = 100
    scope: str = ""


Storyteller = Callable[["Event"], Sequence[Moment]]
"""What an app has to tell of an event."""


@dataclass(frozen=True)
class Start:
    """The embedded set-up is about to open its doors, under `base_url`."""

    base_url: str


@dataclass(frozen=True)
class Try:
    """A command to try, printed by `up`. Where `{token}` stands in it, the API token is put in."""

    title: str
    command: str


Starter = Callable[[Start], Sequence[Try]]
"""What an app makes ready for the embedded set-up at each start, such as the inbox, and what it suggests to try."""


@dataclass(frozen=True)
class Attached:
    """A file that goes with a mail."""

    name: str
    body: bytes
    content_type: str


Attacher = Callable[[str], Attached]
"""From an id to the file that goes with a mail; raises NotFound."""


class NotConfigured(Exception):
    """A channel of messages lacks what it needs; the text names it."""


class Carrier(Protocol):
    """Takes messages to people on the channel that is the last part of its key. It lives in `<app>/carriers/<channel>.py`."""

    def is_configured(self) -> bool:
        """Whether messages that name no channel go here too."""

    def targets(self, recipients: Sequence[str]) -> list[list[str]]:
        """Of `recipients` those that are its own: one list, or as many as can fail by themselves, each a row."""

    def send(self, row: "Notification") -> None:
        """Send it. Raises NotConfigured; TemporaryError, SMTPException or OSError when trying again may help."""


subscribers: Registry[Subscriber] = Registry("subscribers")
duties: Registry[Duty] = Registry("duties")
probes: Registry[Probe] = Registry("probes")
finders: Registry[Finder] = Registry("finders")
storytellers: Registry[Storyteller] = Registry("storytellers")
panels: Registry[Panel] = Registry("panels")
pages: Registry[Page] = Registry("pages")
starters: Registry[Starter] = Registry("starters")
carriers: Registry[Carrier] = Registry("carriers", one_file_each=True)
attachers: Registry[Attacher] = Registry("attachers")
