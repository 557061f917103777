"""Rows for tests: each factory makes a usable one, and a test names only what it is about."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson
from django.contrib.auth.models import User
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory
from factory.helpers import post_generation

from config.kernel.flow import clock, events
from config.kernel.models import Event, EventType
from config.kernel.models.base import new_uid
from config.kernel.wire import signing
from webhooks.enums import DeliveryStatus, Preset, ReceiptStatus
from webhooks.models import Attempt, Batch, Delivery, Endpoint, Receipt, Skip, Source

T = TypeVar("T")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Factory(DjangoModelFactory[T], Generic[T]):
    """What all have in common: calling one makes a row, which type checkers cannot see through the library's metaclass."""

    class Meta:
        abstract = True

    if TYPE_CHECKING:

        def __new__(cls, *args: Any, **values: Any) -> Any: ...


class UserFactory(Factory[User]):
    """A user with the password `password`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda number: f"user{number}")

    @post_generation
    def password(self, create: bool, extracted: str | None, **_: Any) -> None:
        self.set_password(extracted or "password")  # type: ignore[attr-defined]
        if create:
            self.save()  # type: ignore[attr-defined]


class EventTypeFactory(Factory[EventType]):
    """A type of a program, without a schema."""

    class Meta:
        model = EventType
        django_get_or_create = ("name",)

    name = Sequence(lambda number: f"thing.happened_{number}")


class EventFactory(Factory[Event]):
    """An event with a real envelope around `data`; its type is made when there is none. Not routed yet."""

    class Meta:
        model = Event

    class Params:
        data: Any = LazyFunction(lambda: {"number": 1})

    uid = LazyFunction(lambda: new_uid("evt_"))
    type = "order.placed"
    source = "program:test"
    occurred_at = LazyFunction(clock.now)
    body = LazyAttribute(
        lambda self: events.envelope(type=self.type, uid=self.uid, occurred_at=self.occurred_at, data=orjson.dumps(self.data))
    )
    size = LazyAttribute(lambda self: len(self.body))

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **values: Any) -> Event:
        origin = EventType.Origin.INBOUND if values["source"].startswith("inbound:") else EventType.Origin.PROGRAM
        EventType.objects.get_or_create(name=values["type"], defaults={"origin": origin})
        return super()._create(model_class, *args, **values)


class EndpointFactory(Factory[Endpoint]):
    """An active endpoint for everything (`*`), signed with HMAC."""

    class Meta:
        model = Endpoint

    url = Sequence(lambda number: f"https://app{number}.example.com/hook")
    events = LazyFunction(lambda: ["*"])
    secret = SECRET
    secret_changed_at = LazyFunction(clock.now)


class BatchFactory(Factory[Batch]):
    """A batch without members."""

    class Meta:
        model = Batch

    endpoint = SubFactory(EndpointFactory, batch_enabled=True)
    body = b'{"event":"events.batch","data":{"events":[]}}'
    size = 0


class DeliveryFactory(Factory[Delivery]):
    """A pending delivery, due now. `ended=DeliveryStatus.DEAD` makes one that ended now."""

    class Meta:
        model = Delivery

    class Params:
        ended = None

    event = SubFactory(EventFactory)
    endpoint = SubFactory(EndpointFactory)
    status = LazyAttribute(lambda self: self.ended or DeliveryStatus.PENDING)
    attempt_count = LazyAttribute(lambda self: 1 if self.ended else 0)
    finished_at = LazyAttribute(lambda self: clock.now() if self.ended else None)
    next_attempt_at = LazyAttribute(lambda self: None if self.ended else clock.now())


class AttemptFactory(Factory[Attempt]):
    """An attempt that was answered with 200 after 50 ms."""

    class Meta:
        model = Attempt

    delivery = SubFactory(DeliveryFactory)
    number = 1
    started_at = LazyFunction(clock.now)
    duration_ms = 50.0
    status_code = 200


class SkipFactory(Factory[Skip]):
    """A note that an endpoint's filter stopped an event."""

    class Meta:
        model = Skip

    event = SubFactory(EventFactory)
    endpoint = SubFactory(EndpointFactory)
    reason = "filter"


class SourceFactory(Factory[Source]):
    """A source signed the Standard Webhooks way."""

    class Meta:
        model = Source

    slug = Sequence(lambda number: f"source{number}")
    preset = Preset.STANDARD
    secret = LazyFunction(signing.new_secret)


class ReceiptFactory(Factory[Receipt]):
    """An accepted request."""

    class Meta:
        model = Receipt

    source = SubFactory(SourceFactory)
    delivery_id = Sequence(lambda number: f"delivery-{number}")
    status = ReceiptStatus.ACCEPTED
    body = b"{}"
    body_size = 2
