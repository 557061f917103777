"""`/api/v1/automation/queues`: lines of work, and the items in them."""

from collections.abc import Callable

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import step
from automation.api.serializers.queues import ItemCountOut, ItemDetail, ItemIn, ItemOut, ItemsIn, PauseIn, QueueIn, QueueOut
from automation.models import Queue, WorkItem
from automation.services import queues, work
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.kernel.flow.errors import NotFound

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "workflows:execute"
MANAGED = {"GET": SEE, "POST": MANAGE, "PATCH": MANAGE, "DELETE": MANAGE}
FILLED = {"GET": SEE, "POST": RUN}
TAGS = ("queues",)


class Queues(IdempotencyKey, Collection):
    """All living queues, by name."""

    schema_tags = TAGS
    scopes = MANAGED
    throttle_kind = "manage"
    serializer_class = QueueOut

    def get_queryset(self) -> QuerySet[Queue]:
        return Queue.living.order_by("slug")

    @extend_schema(request=QueueIn, responses={201: QueueOut}, summary="Add a queue")
    def post(self, request: Request) -> Response:
        """Without a processor it only collects, until a rule or a person gives it one."""
        return Response(QueueOut(queues.create(**read(QueueIn, request).validated_data)).data, status=201)


class OneQueue(View):
    """One queue."""

    schema_tags = TAGS
    scopes = MANAGED
    throttle_kind = "manage"

    @extend_schema(responses=QueueOut, summary="Read a queue")
    def get(self, request: Request, name: str) -> Response:
        """Its settings and how it stands; by id or short name."""
        return Response(QueueOut(queues.find(name)).data)

    @extend_schema(request=QueueIn(partial=True), responses=QueueOut, summary="Change a queue")
    def patch(self, request: Request, name: str) -> Response:
        """What is left out stays."""
        return Response(QueueOut(queues.update(queues.find(name), **read(QueueIn, request, partial=True).validated_data)).data)

    @extend_schema(responses={204: None}, summary="Delete a queue")
    def delete(self, request: Request, name: str) -> Response:
        """What waits in it is cancelled; the rest stays until its retention ends."""
        queues.delete(queues.find(name))
        return Response(status=204)


@step("Pause a queue", "Nothing more is taken from it; items may still come.", PauseIn)
class PauseQueue(View):
    """Hold a queue."""

    schema_tags = TAGS
    scope = MANAGE
    throttle_kind = "manage"

    @extend_schema(responses=QueueOut)
    def post(self, request: Request, name: str) -> Response:
        """Where it was paused already, nothing happens."""
        queue = queues.find(name)
        queues.pause(queue, reason=read(PauseIn, request).validated_data.get("reason") or "by hand")
        return Response(QueueOut(queue).data)


@step("Resume a queue", "It is worked off again.")
class ResumeQueue(View):
    """Let a queue go on."""

    schema_tags = TAGS
    scope = MANAGE
    throttle_kind = "manage"

    @extend_schema(responses=QueueOut)
    def post(self, request: Request, name: str) -> Response:
        """Where it was not paused, nothing happens."""
        queue = queues.find(name)
        queues.resume(queue)
        return Response(QueueOut(queue).data)


class CountedDeed(View):
    """Does something to the failed items of a queue and tells how many. `deed` is the service's."""

    schema_tags = TAGS
    scope = MANAGE
    throttle_kind = "manage"
    deed: Callable[..., int]

    @extend_schema(responses=ItemCountOut)
    def post(self, request: Request, name: str) -> Response:
        """How many there were."""
        return Response({"count": type(self).deed(queues.find(name))})


@step("Clear the error queue", "Failed items are archived, and kept until their retention ends.")
class ClearErrors(CountedDeed):
    """Archive what failed."""

    deed = work.clear_errors


@step("Put all failed items back", "They have all their attempts again.")
class RequeueFailed(CountedDeed):
    """Try again what failed."""

    deed = work.requeue_failed


class ItemFilter(filters.FilterSet):
    """Filters of the list."""

    status = filters.MultipleChoiceFilter(choices=WorkItem.Status.choices)
    key = filters.CharFilter()
    batch = filters.CharFilter()

    class Meta:
        model = WorkItem
        fields = ["status", "key", "batch"]


class Items(IdempotencyKey, Collection):
    """The items of a queue, newest first."""

    schema_tags = TAGS
    scopes = FILLED
    serializer_class = ItemOut
    filterset_class = ItemFilter

    def get_queryset(self) -> QuerySet[WorkItem]:
        if getattr(self, "swagger_fake_view", False):
            return WorkItem.objects.none()
        rows = WorkItem.objects.filter(queue=queues.find(self.kwargs["name"])).select_related("queue")
        return rows.defer("payload", "result").order_by("-id")

    @extend_schema(request=ItemIn, responses={201: ItemDetail}, summary="Put an item into a queue")
    def post(self, request: Request, name: str) -> Response:
        """Under a `key` that was used before, the answer is the item of then. A full queue answers 429."""
        return Response(ItemDetail(work.enqueue(queues.find(name), **read(ItemIn, request).validated_data)).data, status=201)


class ItemBatch(IdempotencyKey, View):
    """Several items at once."""

    schema_tags = TAGS
    scope = RUN

    @extend_schema(request=ItemsIn, responses={201: ItemOut(many=True)}, summary="Put several items into a queue")
    def post(self, request: Request, name: str) -> Response:
        """All or none, in this order, at most 1,000."""
        drafts = [work.Draft(**one) for one in read(ItemsIn, request).validated_data["items"]]
        return Response(ItemOut(work.enqueue_many(queues.find(name), drafts), many=True).data, status=201)


class OneItem(View):
    """One item."""

    schema_tags = TAGS
    scope = SEE

    @extend_schema(responses=ItemDetail, summary="Read an item")
    def get(self, request: Request, name: str, item_id: str) -> Response:
        """What it asks for, what came of it, and when it is tried again."""
        return Response(ItemDetail(item_of(name, item_id)).data)


class ItemDeed(View):
    """Does something to one item. `deed` is the service's."""

    schema_tags = TAGS
    scope = RUN
    throttle_kind = "manage"
    deed: Callable[..., bool]

    @extend_schema(responses=ItemDetail)
    def post(self, request: Request, name: str, item_id: str) -> Response:
        """Where there is nothing to do, nothing happens."""
        item = item_of(name, item_id)
        type(self).deed(item)
        return Response(ItemDetail(work.find(item.uid)).data)


@step("Put an item back", "It has all its attempts again. One that is done or being worked answers 409.")
class RetryItem(ItemDeed):
    """Try an item again."""

    deed = work.requeue


@step("Cancel an item", "It is not worked, or its end is not written down any more.")
class CancelItem(ItemDeed):
    """Do not do it."""

    deed = work.cancel


def item_of(name: str, item_id: str) -> WorkItem:
    """The item, if it is of that queue. Raises NotFound."""
    queue, item = queues.find(name), work.find(item_id)
    if item.queue_id != queue.pk:
        raise NotFound(f"The item {item_id} is not of the queue {queue.slug} but of {item.queue.slug}.")
    return item
