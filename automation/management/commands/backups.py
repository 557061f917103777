"""`manage.py backups …`: archives of data, made, checked and brought back."""

from collections.abc import Mapping
from typing import Any

from automation.services import backups
from config.acts.models import Backup
from config.kernel.management.deeds import Deed, DeedCommand, number


def row(one: Backup) -> dict[str, Any]:
    """A backup as this command shows it."""
    shown = {name: getattr(one, name) for name in ("kind", "size", "sha256", "created_at", "verified_at", "expires_at")}
    return {"id": one.uid, "types": ", ".join(one.types), **shown}


def latest(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest backups."""
    found = Backup.objects.all()
    if given["kind"]:
        found = found.filter(kind=given["kind"])
    return [row(one) for one in found[: given["limit"]]]


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make one, here and now."""
    types = given["types"] or ["database", "config"]
    return row(backups.create(types, retention_days=given["retention_days"], created_by="command line"))


def restore(given: Mapping[str, Any]) -> dict[str, str]:
    """Bring a part back beside what is there."""
    return {"restored_to": backups.restore(backups.find(given["id"]), part=given["part"], into=given["into"])}


ID = {"id": {"help": "The backup's id."}}


class Command(DeedCommand):
    """Restoring never writes over what is live; docs/howto/backups.md says how to change over to what was restored."""

    help = "Make, list and verify backups of the database, files and configuration, and restore them beside what is there."
    deeds = {
        "list": Deed(
            "The newest backups.",
            latest,
            {
                "--kind": {"default": "", "choices": ["", *Backup.Kind.values], "help": "Only this kind."},
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "create": Deed(
            "Make a backup now and wait until it was read back.",
            create,
            {
                "--type": {
                    "action": "append",
                    "dest": "types",
                    "choices": backups.TYPES,
                    "help": "What is in it; may be repeated. The database and the configuration when left out.",
                },
                "--retention-days": {
                    "type": number(1, 3650),
                    "default": backups.USUAL_DAYS,
                    "help": "Remove older ones once it is made, and this one after so many days.",
                },
            },
        ),
        "verify": Deed("Read a backup from end to end.", lambda given: row(backups.verify(backups.find(given["id"]))), ID),
        "restore": Deed(
            "Bring a part back beside what is there; nothing is written over.",
            restore,
            {
                **ID,
                "--part": {"required": True, "choices": backups.TYPES, "help": "Which part."},
                "--into": {
                    "required": True,
                    "metavar": "WHERE",
                    "help": "A new database or file, or an empty folder.",
                },
            },
        ),
    }
