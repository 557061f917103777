"""Rows for tests: each factory makes a usable one, and a test names only what it is about."""

from typing import Any

import factory
import orjson
from django.contrib.auth.models import User

from config.kernel.flow import clock, events
from config.kernel.models import Event, EventType
from config.kernel.models.base import new_uid
from config.kernel.wire import signing
from webhooks.enums import DeliveryStatus, Preset, ReceiptStatus
from webhooks.models import Attempt, Batch, Delivery, Endpoint, Receipt, Skip, Source

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A user with the password `password`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"user{number}")

    @factory.post_generation
    def password(self, create: bool, extracted: str | None, **_: Any) -> None:
        self.set_password(extracted or "password")  # type: ignore[attr-defined]
        if create:
            self.save()  # type: ignore[attr-defined]


class EventTypeFactory(factory.django.DjangoModelFactory[EventType]):
    """A type of a program, without a schema."""

    class Meta:
        model = EventType
        django_get_or_create = ("name",)

    name = factory.Sequence(lambda number: f"thing.happened_{number}")


class EventFactory(factory.django.DjangoModelFactory[Event]):
    """An event with a real envelope around `data`; its type is made when there is none. Not routed yet."""

    class Meta:
        model = Event

    class Params:
        data: Any = factory.LazyFunction(lambda: {"number": 1})

    uid = factory.LazyFunction(lambda: new_uid("evt_"))
    type = "order.placed"
    source = "program:test"
    occurred_at = factory.LazyFunction(clock.now)
    body = factory.LazyAttribute(
        lambda self: events.envelope(type=self.type, uid=self.uid, occurred_at=self.occurred_at, data=orjson.dumps(self.data))
    )
    size = factory.LazyAttribute(lambda self: len(self.body))

    @classmethod
    def _create(cls, model_class: type[Event], *args: Any, **values: Any) -> Event:
        origin = EventType.Origin.INBOUND if values["source"].startswith("inbound:") else EventType.Origin.PROGRAM
        EventType.objects.get_or_create(name=values["type"], defaults={"origin": origin})
        return super()._create(model_class, *args, **values)


class EndpointFactory(factory.django.DjangoModelFactory[Endpoint]):
    """An active endpoint for everything (`*`), signed with HMAC."""

    class Meta:
        model = Endpoint

    url = factory.Sequence(lambda number: f"https://app{number}.example.com/hook")
    events = factory.LazyFunction(lambda: ["*"])
    secret = SECRET
    secret_changed_at = factory.LazyFunction(clock.now)


class BatchFactory(factory.django.DjangoModelFactory[Batch]):
    """A batch without members."""

    class Meta:
        model = Batch

    endpoint = factory.SubFactory(EndpointFactory, batch_enabled=True)
    body = b'{"event":"events.batch","data":{"events":[]}}'
    size = 0


class DeliveryFactory(factory.django.DjangoModelFactory[Delivery]):
    """A pending delivery, due now. `ended=DeliveryStatus.DEAD` makes one that ended now."""

    class Meta:
        model = Delivery

    class Params:
        ended = None

    event = factory.SubFactory(EventFactory)
    endpoint = factory.SubFactory(EndpointFactory)
    status = factory.LazyAttribute(lambda self: self.ended or DeliveryStatus.PENDING)
    attempt_count = factory.LazyAttribute(lambda self: 1 if self.ended else 0)
    finished_at = factory.LazyAttribute(lambda self: clock.now() if self.ended else None)
    next_attempt_at = factory.LazyAttribute(lambda self: None if self.ended else clock.now())


class AttemptFactory(factory.django.DjangoModelFactory[Attempt]):
    """An attempt that was answered with 200 after 50 ms."""

    class Meta:
        model = Attempt

    delivery = factory.SubFactory(DeliveryFactory)
    number = 1
    started_at = factory.LazyFunction(clock.now)
    duration_ms = 50.0
    status_code = 200


class SkipFactory(factory.django.DjangoModelFactory[Skip]):
    """A note that an endpoint's filter stopped an event."""

    class Meta:
        model = Skip

    event = factory.SubFactory(EventFactory)
    endpoint = factory.SubFactory(EndpointFactory)
    reason = "filter"


class SourceFactory(factory.django.DjangoModelFactory[Source]):
    """A source signed the Standard Webhooks way."""

    class Meta:
        model = Source

    slug = factory.Sequence(lambda number: f"source{number}")
    preset = Preset.STANDARD
    secret = factory.LazyFunction(signing.new_secret)


class ReceiptFactory(factory.django.DjangoModelFactory[Receipt]):
    """An accepted request."""

    class Meta:
        model = Receipt

    source = factory.SubFactory(SourceFactory)
    delivery_id = factory.Sequence(lambda number: f"delivery-{number}")
    status = ReceiptStatus.ACCEPTED
    body = b"{}"
    body_size = 2
