"""The pages of receipts: what came in, what we made of it, and why."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.kernel.desk import permissions
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.enums import ReceiptStatus
from webhooks.models import Receipt, Source
from webhooks.services import receipts

BODY_SHOWN_BYTES = 262_144
EXPORTED = {
    "id": lambda receipt: receipt.uid,
    "source": lambda receipt: receipt.source.slug,
    "status": lambda receipt: receipt.status,
    "reason": lambda receipt: receipt.reason,
    "explanation": lambda receipt: receipt.explanation,
    "event_type": lambda receipt: receipt.event_type,
    "delivery_id": lambda receipt: receipt.delivery_id,
    "event_id": lambda receipt: receipt.event.uid if receipt.event else "",
    "bytes": lambda receipt: receipt.body_size,
    "remote_address": lambda receipt: receipt.remote_address,
    "created_at": lambda receipt: receipt.created_at,
}


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/receipts`"""
    rows = _filtered(request)
    names = ("source", "status", "type", "reason", "since", "delivery")
    shown = {
        "statuses": ReceiptStatus.choices,
        "sources": [(slug, slug) for slug in Source.living.order_by("slug").values_list("slug", flat=True)[:200]],
    }
    return pages.list_page(request, "webhooks/receipts.html", rows, EXPORTED, shown, filters=names)


def _filtered(request: HttpRequest) -> "QuerySet[Receipt]":
    rows = Receipt.objects.select_related("source", "event").defer(
        "body", "headers", "event__body", "source__secret", "source__old_secrets"
    )
    fields = {"source": "source__slug", "status": "status", "type": "event_type", "reason": "reason", "delivery": "delivery_id"}
    for name, field in fields.items():
        if asked := request.GET.get(name, "").strip()[:200]:
            rows = rows.filter(**{field: asked})
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    return rows.order_by("-id")


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/receipts/<uid>`"""
    receipt: Receipt = pages.one(Receipt.objects.select_related("source", "event"), uid, what="receipt")
    kept = receipt.body or b""
    repeats = Receipt.objects.filter(source=receipt.source, delivery_id=receipt.delivery_id).exclude(pk=receipt.pk)
    shown = {
        "receipt": receipt,
        "body": kept if len(kept) <= BODY_SHOWN_BYTES else None,
        "is_cut": len(kept) < receipt.body_size,
        "repeats": repeats.defer("body", "headers")[:10],
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/receipt.html", shown)


@pages.deed(MANAGE)
def reprocess(request: HttpRequest, uid: str) -> HttpResponse:
    """`/receipts/<uid>/reprocess`"""
    found: Receipt = pages.one(Receipt, uid, what="receipt")
    row = receipts.reprocess(found)
    return pages.done(request, f"The receipt {uid} was processed again and is {row.status}. Its event is being routed.")
