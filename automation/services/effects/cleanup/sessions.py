"""Sessions of people that ran out. Called by `cleanup.clean`."""

from datetime import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Sum
from django.db.models.functions import Length

from automation.services.effects.cleanup.removed import Absent, Removed

CHUNK = 1000


def clean(*, before: datetime) -> Removed:
    """Remove the sessions that ended before `before`, a thousand at a time. Raises Absent where sessions are no rows."""
    if settings.SESSION_ENGINE not in ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db"):
        raise Absent("SESSION_ENGINE keeps sessions elsewhere than in the database.")
    removed = Removed()
    while keys := list(Session.objects.filter(expire_date__lt=before).values_list("pk", flat=True)[:CHUNK]):
        rows = Session.objects.filter(pk__in=keys, expire_date__lt=before)
        size = rows.aggregate(size=Sum(Length("session_data")))["size"] or 0
        removed.took(size, rows.delete()[0])
    return removed
