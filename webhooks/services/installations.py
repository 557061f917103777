"""Keeps the list of GitHub installations from `installation` events. Called by the subscriber `webhooks.installations`."""

from collections.abc import Sequence
from typing import Any

from config.kernel.flow.events import INBOUND
from config.kernel.models import Event
from webhooks.enums import Preset
from webhooks.models import Installation, Source

# Action of the event → whether the app is installed afterwards. Other actions change nothing here.
ACTIONS = {"created": True, "deleted": False, "suspend": False, "unsuspend": True}


def hear(heard: Sequence[Event]) -> None:
    """Note what `installation` events of GitHub sources say; an older event never undoes a newer one."""
    told = [event for event in heard if event.source.startswith(INBOUND) and event.type.endswith(".installation")]
    if not told:
        return
    sources = {source.slug: source for source in Source.objects.filter(preset=Preset.GITHUB, deleted_at__isnull=True)}
    for event in sorted(told, key=lambda one: one.pk):
        source = sources.get(event.source.removeprefix(INBOUND))
        if source is not None:
            _note(source, event)


def _note(source: Source, event: Event) -> None:
    data = event.data if isinstance(event.data, dict) else {}
    installation = data.get("installation")
    is_active = ACTIONS.get(str(data.get("action")))
    if is_active is None or not isinstance(installation, dict) or "id" not in installation:
        return
    account = installation.get("account")
    login = _text(account.get("login", ""), 120) if isinstance(account, dict) else ""
    key = {"source": source, "installation_id": _text(installation["id"], 40)}
    values = {"account": login, "is_active": is_active, "changed_at": event.created_at}
    row, is_new = Installation.objects.get_or_create(**key, defaults=values)
    if not is_new:
        Installation.objects.filter(pk=row.pk, changed_at__lte=event.created_at).update(**values)


def _text(value: Any, limit: int) -> str:
    # A sender's text may hold NUL, which PostgreSQL cannot store.
    return str(value).replace("\0", "\ufffd")[:limit]
