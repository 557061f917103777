"""`manage.py reports …`: what was counted over a period."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from automation.models import Report
from automation.services import reports
from automation.services.reporting import report_files
from config.acts.plugins.reporters import KINDS
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict
from config.kernel.management.deeds import Deed, DeedCommand, moment, number


def row(one: Report) -> dict[str, Any]:
    """A report as this command shows it."""
    return {"id": one.uid, "title": one.title, "since": one.since, "until": one.until, "size": one.size, "created_at": one.created_at}


def generate(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make one; the workers send it."""
    since = given["since"] or (given["until"] or clock.now()) - timedelta(days=given["days"])
    words = {"since": since, "until": given["until"], "recipients": given["recipients"] or [], "created_by": "command line"}
    return row(reports.generate(given["types"] or ["system", "webhooks", "automation"], **words)[0])


def save(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write it to a file."""
    found = report_files.file_of(reports.find(given["id"]), given["kind"])
    path = Path(given["to"] or found.name)
    if path.exists():
        raise Conflict(f"{path} exists already. Name a file that does not.")
    path.write_bytes(found.body)
    return {"file": str(path), "bytes": len(found.body)}


class Command(DeedCommand):
    """The dashboard shows the same under Reports."""

    help = "Generate reports of the system, webhooks and automation over a period, list them, and save them as HTML or JSON."
    deeds = {
        "list": Deed(
            "The newest reports.",
            lambda given: [row(one) for one in Report.objects.defer("content")[: given["limit"]]],
            {"--limit": {"type": number(1, 1000), "default": 20, "help": "How many."}},
        ),
        "generate": Deed(
            "Make a report and keep it.",
            generate,
            {
                "--type": {
                    "action": "append",
                    "dest": "types",
                    "choices": KINDS,
                    "help": "What it tells of; may be repeated. System, webhooks and automation when left out.",
                },
                "--days": {"type": number(1, 366), "default": 1, "help": "How many days back it reaches."},
                "--since": {"type": moment, "help": "From this time on (ISO 8601), instead of --days."},
                "--until": {"type": moment, "help": "Before this time; now when left out."},
                "--to": {"action": "append", "dest": "recipients", "metavar": "ADDRESS", "help": "Send it there; may be repeated."},
            },
        ),
        "save": Deed(
            "Write a report to a file.",
            save,
            {
                "id": {"help": "The report's id."},
                "--as": {"dest": "kind", "default": "html", "choices": ["html", "json"], "help": "As what."},
                "--to": {"default": "", "metavar": "FILE", "help": "Where to; a name in this folder when left out."},
            },
        ),
    }
