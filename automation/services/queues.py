"""Everything that is done to a queue: made, changed, paused, deleted. Called by the API, the admin, the dashboard and commands."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from django.db import IntegrityError, transaction

from automation.models import Queue, WorkItem
from config.acts.plugins.processors import Processor, processors
from config.acts.running import forms
from config.kernel.flow import clock, jobs
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.limits.backoff import Policy
from config.kernel.watch import audit

DEFAULT = "default"
DUTY = "automation.work"
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,47}")
# Whole numbers and what they may be; the rows would take more than makes sense.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "max_in_progress": (1, 100),
    "timeout_seconds": (1, 86_400),
    "max_attempts": (1, 100),
    "retry_base_seconds": (0, 86_400),
    "retry_max_delay_seconds": (0, 604_800),
    "max_length": (1, 1_000_000),
    "delayed_depth": (0, 1_000_000),
    "delayed_age_seconds": (1, 2_592_000),
}
MAY_BE_EMPTY = ("delayed_depth", "delayed_age_seconds")
CHANGEABLE = ("slug", "name", "processor", "parameters", "is_automatic", "retry_strategy", *BOUNDS)


def find(name: str) -> Queue:
    """The living queue of this id or slug. Raises NotFound with the slugs that there are."""
    found: Queue | None = Queue.living.filter(uid=name).first() or Queue.living.filter(slug=name).first()
    if found is None:
        known = ", ".join(Queue.living.order_by("slug").values_list("slug", flat=True)[:20])
        raise NotFound(f"There is no queue {name[:64]!r}; there are: {known or 'none'}.")
    return found


@transaction.atomic
def create(*, slug: str, **fields: Any) -> Queue:
    """A new queue. Raises InvalidInput that names the field, Conflict when the slug is taken."""
    queue = Queue(slug=slug, **_checked({"slug": slug, "processor": "", "parameters": {}, **fields}, stored=None))
    _save(queue)
    audit.record("queue.created", queue, slug=slug)
    jobs.nudge(DUTY)
    return queue


@transaction.atomic
def update(queue: Queue, **fields: Any) -> Queue:
    """Change what is given; a secret parameter that comes masked or empty stays. Raises InvalidInput, Conflict."""
    if "processor" in fields or "parameters" in fields:
        processor = fields.get("processor", queue.processor)
        kept = queue.parameters if processor == queue.processor else {}
        fields = {**fields, "processor": processor, "parameters": fields.get("parameters", kept)}
    changes = _checked(fields, stored=queue)
    for name, value in changes.items():
        setattr(queue, name, value)
    if queue.delayed_depth is None and queue.delayed_age_seconds is None and queue.delayed_since is not None:
        changes["delayed_since"] = queue.delayed_since = None  # nobody looks any more whether it is late
    # Only these: somebody may have paused it since it was read.
    _save(queue, update_fields=list(changes))
    audit.record("queue.updated", queue, changed=sorted(fields))
    jobs.nudge(DUTY)
    return queue


@transaction.atomic
def delete(queue: Queue) -> int:
    """Take it away; what waits in it is cancelled, the rest stays until its retention ends. How many were cancelled."""
    now = clock.now()
    if not Queue.living.filter(pk=queue.pk).update(deleted_at=now):
        return 0
    waiting = queue.items.filter(status=WorkItem.Status.WAITING)
    count = waiting.update(status=WorkItem.Status.CANCELLED, ended_at=now, next_attempt_at=None)
    audit.record("queue.deleted", queue, slug=queue.slug, cancelled=count)
    return count


@transaction.atomic
def pause(queue: Queue, *, reason: str = "by hand") -> bool:
    """Nothing more is taken from it; items may still come, and what is under way is finished. False if it was paused already."""
    if not Queue.objects.filter(pk=queue.pk, is_paused=False).update(is_paused=True, pause_reason=reason[:300]):
        return False
    queue.is_paused, queue.pause_reason = True, reason[:300]
    audit.record("queue.paused", queue, reason=reason[:300])
    return True


@transaction.atomic
def resume(queue: Queue) -> bool:
    """Work it off again. False if it was not paused."""
    if not Queue.objects.filter(pk=queue.pk, is_paused=True).update(is_paused=False, pause_reason=""):
        return False
    queue.is_paused, queue.pause_reason = False, ""
    audit.record("queue.resumed", queue)
    jobs.nudge(DUTY)
    return True


def ensure_default() -> None:
    """After every migration: the queue `default`, unless there ever was one. It only collects until it is told what works it off."""
    if not Queue.objects.filter(slug=DEFAULT).exists():
        Queue.objects.create(slug=DEFAULT)


def policy(queue: Queue) -> Policy:
    """How often and when its items are tried."""
    return Policy(
        strategy=queue.retry_strategy,
        base_seconds=queue.retry_base_seconds,
        max_attempts=queue.max_attempts,
        max_delay_seconds=queue.retry_max_delay_seconds,
        jitter=0.1,
    )


def processor_of(queue: Queue) -> Processor | None:
    """What works its items off; None when nothing does, or when it is installed no more."""
    return processors.all().get(queue.processor)


def shown_parameters(queue: Queue) -> dict[str, Any]:
    """Its parameters as people may see them: secrets masked."""
    processor = processor_of(queue)
    return forms.masked(processor.Parameters if processor else None, queue.parameters or {})


def _checked(fields: Mapping[str, Any], *, stored: Queue | None) -> dict[str, Any]:
    """The fields as columns, without the slug of a new one. Raises InvalidInput for the first that cannot be."""
    if unknown := sorted(set(fields) - set(CHANGEABLE)):
        raise InvalidInput(f"A queue has no {unknown[0]!r}.", fields={name: ["There is no such field."] for name in unknown})
    found = dict(fields)
    if not _SLUG.fullmatch(str(found.get("slug", "x"))):
        _refuse("slug", "Write small letters, digits and _, beginning with a letter, at most 48.")
    for name, (least, most) in BOUNDS.items():
        value = found.get(name, least)
        if value is None and name in MAY_BE_EMPTY:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _refuse(name, f"It must be a whole number from {least:,} to {most:,}.")
    if found.get("retry_strategy", "fixed") not in Queue.Strategy.values:
        _refuse("retry_strategy", f"It must be one of {', '.join(Queue.Strategy.values)}.")
    if "processor" in found:
        found["parameters"] = _parameters(str(found["processor"] or ""), found.get("parameters") or {}, stored=stored)
    if stored is None:
        found.pop("slug")
    return found


def _parameters(key: str, given: Mapping[str, Any], *, stored: Queue | None) -> dict[str, Any]:
    """What the processor's form makes of them, as JSON has it."""
    if not key and given:
        _refuse("parameters", "Without a processor there is nothing that takes parameters.")
    if not key:
        return {}
    processor = processors.all().get(key)
    if processor is None:
        _refuse("processor", f"There is no processor {key!r}; there are: {', '.join(sorted(processors.all())) or 'none'}.")
    before = stored.parameters or {} if stored and stored.processor == key else {}
    try:
        return forms.clean(processor.Parameters, forms.keeping_secrets(processor.Parameters, given, before))
    except InvalidInput as error:
        fields = {f"parameters.{name}" if name != "params" else "parameters": said for name, said in error.fields.items()}
        name, sentences = next(iter(fields.items()))
        raise InvalidInput(f"{name}: {sentences[0]}", fields=fields) from None


def _save(queue: Queue, **options: Any) -> None:
    try:
        with transaction.atomic():
            queue.save(**options)
    except IntegrityError:
        raise Conflict(f"There is a queue {queue.slug!r} already. Choose another name, or change that one.") from None


def _refuse(name: str, sentence: str) -> NoReturn:
    raise InvalidInput(f"{name}: {sentence}", fields={name: [sentence]})
