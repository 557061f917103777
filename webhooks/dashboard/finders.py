"""Where the search box leads: from the ids and the names of webhooks to their pages."""

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from config.kernel.plugins.contracts import Found, finders
from webhooks.models import Attempt, Batch, Delivery, Endpoint, Receipt, Replay, Source


@finders.plugin("webhooks.delivery")
def find_delivery(asked: str) -> Found | None:
    """`dlv_…`, and `att_…` of one of its attempts."""
    if asked.startswith("att_"):
        attempt = Attempt.objects.filter(uid=asked).select_related("delivery", "batch").defer("batch__body").first()
        if attempt is None or attempt.delivery is None:
            return find_batch(attempt.batch.uid) if attempt and attempt.batch else None
        return Found(f"Attempt {attempt.number} of {attempt.delivery.uid}", reverse("webhooks:delivery", args=[attempt.delivery.uid]))
    if asked.startswith("dlv_") and Delivery.objects.filter(uid=asked).exists():
        return Found(f"Delivery {asked}", reverse("webhooks:delivery", args=[asked]))
    return None


@finders.plugin("webhooks.batch")
def find_batch(asked: str) -> Found | None:
    """`bat_…`: the deliveries that travelled in it."""
    if asked.startswith("bat_") and Batch.objects.filter(uid=asked).exists():
        return Found(f"Deliveries of the batch {asked}", f"{reverse('webhooks:deliveries')}?{urlencode({'batch': asked})}")
    return None


@finders.plugin("webhooks.endpoint")
def find_endpoint(asked: str) -> Found | None:
    """Its id, its description, its URL or a part of those: the one endpoint, or the list of several."""
    rows = Endpoint.living.only("uid", "url", "description").order_by("-id")
    if found := rows.filter(uid=asked).first():
        return _endpoint(found)
    if len(asked) < 3:
        return None
    several = list(rows.filter(Endpoint.called(asked))[:2])
    if len(several) == 1:
        return _endpoint(several[0])
    listed = f"{reverse('webhooks:endpoints')}?{urlencode({'q': asked})}"
    return Found(f"Endpoints with {asked} in their URL or description", listed) if several else None


@finders.plugin("webhooks.source")
def find_source(asked: str) -> Found | None:
    """`src_…`, its slug or its name."""
    wanted = Q(uid=asked) if asked.startswith("src_") else Q(slug=asked) | Q(name__iexact=asked)
    found = Source.living.filter(wanted).only("uid", "slug").order_by("id").first()
    return Found(f"Source {found.slug}", reverse("webhooks:source", args=[found.uid])) if found else None


@finders.plugin("webhooks.receipt")
def find_receipt(asked: str) -> Found | None:
    """`rcp_…`."""
    if asked.startswith("rcp_") and Receipt.objects.filter(uid=asked).exists():
        return Found(f"Receipt {asked}", reverse("webhooks:receipt", args=[asked]))
    return None


@finders.plugin("webhooks.replay")
def find_replay(asked: str) -> Found | None:
    """`rep_…`."""
    if asked.startswith("rep_") and Replay.objects.filter(uid=asked).exists():
        return Found(f"Replay {asked}", reverse("webhooks:replay", args=[asked]))
    return None


def _endpoint(found: Endpoint) -> Found:
    return Found(f"Endpoint {found.title}", reverse("webhooks:endpoint", args=[found.uid]))
