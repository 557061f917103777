"""What an inbound request becomes: a Receipt and its Event, or a refusal that is kept for the operator. Called by intake,
and by the API and the admin to process a receipt again."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from config.kernel.desk import options
from config.kernel.flow import clock, context, events
from config.kernel.flow.errors import Conflict, NotFound
from config.kernel.limits import ratelimit
from config.kernel.models import Event
from config.kernel.models.base import new_uid
from config.kernel.watch import audit
from config.kernel.wire import redact
from webhooks.engine import diagnosis, github, payload, verification
from webhooks.engine.github import Asked
from webhooks.engine.payload import Names, Parsed
from webhooks.engine.verification import Incoming, Refusal
from webhooks.enums import Preset, ReceiptStatus
from webhooks.models import Receipt
from webhooks.services import inserts, sources
from webhooks.services.sources import Known

KEPT = (ReceiptStatus.ACCEPTED, ReceiptStatus.IGNORED)
# A flood of refused requests must not fill the disk: a minute's worth is kept, the rest is counted.
REFUSALS_PER_SECOND, REFUSALS_AT_ONCE = 1.0, 60
REFUSED_BODY_BYTES = 65_536
# What the column can hold; a sender may announce anything.
MAX_SIZE = 2**31 - 1
MAX_HEADERS, MAX_HEADER_LENGTH = 64, 1000


@dataclass(frozen=True)
class Plan:
    """What a proved request asks for."""

    names: Names
    parsed: Parsed
    asked: Asked

    @property
    def status(self) -> ReceiptStatus:
        """`ignored` when nothing is to be done beyond keeping the event."""
        return ReceiptStatus.IGNORED if self.asked.is_ignored else ReceiptStatus.ACCEPTED


@dataclass(frozen=True)
class Taken:
    """A stored request. `first` is the receipt that it repeats; `is_again`: the first had failed and is routed once more."""

    receipt: Receipt
    event: Event | None
    first: Receipt | None = None
    is_again: bool = False


def plan(known: Known, incoming: Incoming) -> Plan:
    """Read body and names, and see what they ask for. Raises Refusal (400, 415)."""
    parsed = payload.parse(incoming, known.rules)
    names = payload.names_of(incoming, parsed, known.rules)
    return Plan(names, parsed, _asked(known, names, parsed))


def take(known: Known, incoming: Incoming, planned: Plan) -> Taken:
    """Store Receipt and Event in one transaction, routed after commit; a repeat is stored as a duplicate instead."""
    asked = planned.asked
    receipt = _receipt(known, incoming, planned.names, status=planned.status, reason=asked.reason, explanation=asked.explanation)
    receipt.body = incoming.body
    event = _draft_event(known, receipt, planned)
    try:
        inserts.insert_pair(event, receipt, link="event")
    except IntegrityError:
        return _repeat(known, incoming, planned.names)
    events.announce()
    return Taken(receipt, event)


def keep(known: Known, incoming: Incoming, *, reason: str, explanation: str) -> Receipt:
    """Store a request that is answered at once and makes no event, such as a vendor's challenge."""
    names = payload.names_by_header(incoming, known.rules)
    receipt = _receipt(known, incoming, names, status=ReceiptStatus.IGNORED, reason=reason, explanation=explanation)
    receipt.delivery_id, receipt.body = receipt.uid, incoming.body
    receipt.save(force_insert=True)
    return receipt


def refuse(known: Known, incoming: Incoming, refusal: Refusal, *, announced_size: int = 0) -> Receipt | None:
    """Keep a refusal with what can be found out about it; None when so many came that this one is only counted."""
    if ratelimit.take(f"refused:{known.source.pk}", per_second=REFUSALS_PER_SECOND, burst=REFUSALS_AT_ONCE) > 0:
        return None
    now = clock.now()
    why = diagnosis.diagnose(refusal, incoming, rules=known.rules, secrets=known.accepted_secrets(now), expired=known.expired_secrets(now))
    names = payload.names_by_header(incoming, known.rules)
    receipt = _receipt(known, incoming, names, status=ReceiptStatus.REJECTED, reason=why.code, explanation=why.explanation)
    receipt.body, receipt.body_size = incoming.body[:REFUSED_BODY_BYTES], max(len(incoming.body), min(announced_size, MAX_SIZE))
    receipt.save(force_insert=True)
    return receipt


def find(uid: str) -> Receipt:
    """The receipt with its source and event. Raises NotFound."""
    if (found := Receipt.objects.select_related("source", "event").filter(uid=uid).first()) is None:
        raise NotFound(f"There is no receipt {uid[:64]!r}; receipts are removed when their retention ends.")
    return found


def reprocess(receipt: Receipt) -> Receipt:
    """Have it worked again: the same Event is routed once more, an ignored one is mapped anew, a refused one judged anew.

    A refused request is judged by today's secrets and as of the time it came. Raises Conflict when that cannot be done honestly.
    """
    with transaction.atomic():
        row = Receipt.objects.select_for_update(of=("self",)).select_related("source", "event").get(pk=receipt.pk)
        if row.event is None:
            _judge_again(row)
        elif row.status == ReceiptStatus.IGNORED and row.body is not None:
            _map_again(row, row.event)
            events.reroute(row.event)
        else:
            events.reroute(row.event)
        audit.record("receipt.reprocessed", row, status=row.status)
    return row


def _asked(known: Known, names: Names, parsed: Parsed) -> Asked:
    if known.source.preset != Preset.GITHUB:
        return github.RECORDED
    return github.task_for(
        names.event,
        parsed.value,
        failed_conclusions=options.get("GITHUB_FAILED_CONCLUSIONS"),
        main_branches=options.get("GITHUB_MAIN_BRANCHES"),
    )


def _draft_event(known: Known, receipt: Receipt, planned: Plan) -> Event:
    """The event of `receipt`, not stored yet, and on the receipt what the schema of its type has to say."""
    uid = new_uid("evt_")
    draft = events.Draft(
        payload.type_of(known.source.slug, planned.names.event),
        planned.parsed.value,
        uid=uid,
        subject=audit.subject_of(receipt),
        source=f"{events.INBOUND}{known.source.slug}",
        raw=planned.parsed.raw,
        requested_task=_task(planned.asked, uid),
    )
    event = events.prepare(draft)
    receipt.warning = "\n".join(_printable(sentence, 400) for sentence in events.check(draft.type, draft.data))
    return event


def _task(asked: Asked, event_uid: str) -> Mapping[str, str] | None:
    return {"type": asked.task_type, "id": task_id(event_uid)} if asked.task_type else None


def task_id(event_uid: str) -> str:
    """The id of the task that an event asks for; known before the task is made."""
    return f"tsk_{event_uid.removeprefix('evt_')}"


def _repeat(known: Known, incoming: Incoming, names: Names) -> Taken:
    """What came before under the same ids. If the first could not be routed and was given up, it gets another turn."""
    first = (
        Receipt.objects.filter(source_id=known.source.pk, hook_id=names.hook_id, delivery_id=names.delivery_id, status__in=KEPT)
        .select_related("event")
        .get()
    )
    event = first.event
    is_again = event is not None and event.route_failures.filter(next_attempt_at__isnull=True).exists()
    receipt = _receipt(known, incoming, names, status=ReceiptStatus.DUPLICATE, reason="failed_before" if is_again else "duplicate")
    receipt.event = event
    receipt.explanation = f"The same delivery came at {first.created_at:%Y-%m-%d %H:%M:%S} UTC." + (
        " It had failed, so it is worked again." if is_again else ""
    )
    with transaction.atomic():
        receipt.save(force_insert=True)
        if is_again and event is not None:
            events.reroute(event)
    return Taken(receipt, event, first, is_again)


def _receipt(known: Known, incoming: Incoming, names: Names, *, status: str, reason: str = "", explanation: str = "") -> Receipt:
    here = context.current()
    return Receipt(
        source_id=known.source.pk,
        hook_id=names.hook_id,
        delivery_id=names.delivery_id,
        event_type=names.event,
        status=status,
        reason=reason,
        explanation=explanation,
        headers=_shown(incoming.headers),
        body_size=len(incoming.body),
        content_type=_printable(incoming.content_type, 100),
        remote_address=here.ip[:64],
        correlation_id=here.correlation_id,
    )


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they may be kept: credentials masked, only what PostgreSQL can hold, and not too much of it."""
    some = dict(list(headers.items())[:MAX_HEADERS])
    return {_printable(name, 100): _printable(value, MAX_HEADER_LENGTH) for name, value in redact.headers(some).items()}


def _printable(text: str, limit: int) -> str:
    text = text[:limit]
    return text if text.isprintable() else "".join(character if character.isprintable() else "?" for character in text)


def _map_again(row: Receipt, event: Event) -> None:
    """Options may have changed since: an event that was ignored may ask for a task now."""
    planned = plan(sources.ready(row.source), _incoming_of(row))
    if planned.asked.task_type:
        event.requested_task = _task(planned.asked, event.uid)
        event.save(update_fields=["requested_task"])
    _settle(row, planned)


def _judge_again(row: Receipt) -> None:
    """Verify a refused request once more, and take it if it holds. Raises Conflict."""
    if row.status != ReceiptStatus.REJECTED:
        raise Conflict("There is nothing to process again: this request was answered at once and made no event.")
    if row.body is None or len(row.body) != row.body_size:
        raise Conflict("Its body was not kept whole, so it cannot be processed again. Have the sender send it once more.")
    if redact.MASK in row.headers.values() and sources.ready(row.source).rules.scheme in verification.TOKEN_SCHEMES:
        raise Conflict("Its credential is not kept, so it cannot be judged again. Have the sender send it once more.")
    known, incoming = sources.ready(row.source), _incoming_of(row)
    try:
        verification.verify(incoming, rules=known.rules, secrets=known.accepted_secrets(row.created_at), now=row.created_at)
        planned = plan(known, incoming)
    except Refusal as refusal:
        raise Conflict(f"It is still refused: {refusal.explanation}", code=refusal.code) from None
    row.delivery_id, row.hook_id, row.event_type = planned.names.delivery_id, planned.names.hook_id, planned.names.event
    try:
        with transaction.atomic():
            row.event = _draft_event(known, row, planned)
            row.event.save(force_insert=True)
            _settle(row, planned)
    except IntegrityError:
        raise Conflict("The same delivery has been accepted since; nothing is left to do.", code="duplicate") from None
    events.announce()


def _settle(row: Receipt, planned: Plan) -> None:
    row.status, row.reason, row.explanation = planned.status, planned.asked.reason, planned.asked.explanation
    row.save(update_fields=["status", "reason", "explanation", "warning", "event", "delivery_id", "hook_id", "event_type"])


def _incoming_of(row: Receipt) -> Incoming:
    return Incoming(row.headers, bytes(row.body or b""))
