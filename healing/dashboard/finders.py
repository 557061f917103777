"""Where the search box leads: from the id or the name of a service to its page."""

from django.db.models import Q
from django.urls import reverse

from config.kernel.plugins.contracts import Found, finders
from healing.models import Service


@finders.plugin("healing.service")
def find_service(asked: str) -> Found | None:
    """`svc_…`, or its name."""
    found = Service.living.filter(Q(uid=asked) | Q(name__iexact=asked)).only("uid", "name").first()
    return Found(f"Service {found.name}", reverse("healing:service", args=[found.uid])) if found else None
