"""Ownership that ends by itself: named leases over all processes, and leases on rows that a worker has claimed."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, models, transaction
from django.db.models import Q

from config.kernel.flow import clock
from config.kernel.models import Lease


@dataclass(frozen=True)
class Held:
    """Proof of a lease: its name and the token that only the holder has."""

    name: str
    token: str


def me() -> str:
    """This process, for pages that show a holder: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def acquire(name: str, *, seconds: float, holder: str = "") -> Held | None:
    """Own `name` for `seconds`, or None when someone else does."""
    now, token = clock.now(), secrets.token_hex(16)
    fields = {"holder": holder or me(), "token": token, "until": now + timedelta(seconds=seconds)}
    if Lease.objects.filter(name=name, until__lte=now).update(**fields):
        return Held(name, token)
    if Lease.objects.filter(name=name).exists():
        return None
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, **fields)
    except IntegrityError:
        return None
    return Held(name, token)


def renew(held: Held, *, seconds: float) -> bool:
    """Own it for `seconds` from now. False when it was lost."""
    until = clock.now() + timedelta(seconds=seconds)
    return bool(Lease.objects.filter(name=held.name, token=held.token).update(until=until))


def release(held: Held) -> None:
    """Give it back; harmless when it was lost."""
    Lease.objects.filter(name=held.name, token=held.token).delete()


def holder(name: str) -> str:
    """Who owns `name` now, or an empty string."""
    found = Lease.objects.filter(name=name, until__gt=clock.now()).first()
    return found.holder if found else ""


@contextmanager
def held(name: str, *, seconds: float) -> Iterator[Held | None]:
    """The lease for a block, or None when it is taken; the block decides what that means."""
    found = acquire(name, seconds=seconds)
    try:
        yield found
    finally:
        if found:
            release(found)


def claim(rows: "models.QuerySet[Any]", *, limit: int, seconds: float) -> tuple[str, list[Any]]:
    """Lease up to `limit` of `rows` (a Leasable model) that nobody owns; the token and the rows, oldest first."""
    now, token = clock.now(), secrets.token_hex(16)
    free = rows.filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now))
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            free = free.select_for_update(skip_locked=True, of=("self",))
        found = list(free.order_by("id")[:limit])
        until = now + timedelta(seconds=seconds)
        rows.model._default_manager.filter(pk__in=[row.pk for row in found]).update(lease_token=token, lease_until=until)
    for row in found:
        row.lease_token, row.lease_until = token, until
    return token, found
