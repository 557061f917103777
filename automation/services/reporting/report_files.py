"""A report as files: HTML that needs nothing from outside, and JSON. Called by the dashboard, the API, the command and outgoing mails."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from automation.models import Report
from automation.services import reports
from config.kernel.flow import clock
from config.kernel.language import json_text
from config.kernel.plugins.contracts import Attached
from config.look import words
from config.look.charts import Bar

STYLE = "templates/automation/report.css"


def shown(report: Report) -> list[dict[str, Any]]:
    """The parts as templates draw them: figures as texts, charts as columns."""
    return [
        {
            **part,
            "figures": [{**figure, "shown": _shown(figure)} for figure in part["figures"]],
            "charts": [{**chart, "series": _series(chart)} for chart in part["charts"]],
            "tables": [_table(table) for table in part["tables"]],
        }
        for part in report.content["parts"]
    ]


def as_html(report: Report) -> str:
    """One file: style and drawings inside, no script, and a policy that forbids everything else."""
    style = (settings.BASE_DIR / STYLE).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    given = {"report": report, "parts": shown(report), "style": mark_safe(style), "digest": digest}  # noqa: S308 - a file of ours
    return render_to_string("automation/report_file.html", given)


def as_json(report: Report) -> bytes:
    """The numbers for programs."""
    told = {"id": report.uid, "title": report.title, "types": report.types, "since": clock.text(report.since)}
    told |= {"until": clock.text(report.until), "created_at": clock.text(report.created_at), **report.content}
    return json_text.write(told)


def file_of(report: Report, kind: str) -> Attached:
    """The report as `html` or `json`."""
    body = as_json(report) if kind == "json" else as_html(report).encode()
    content_type = "application/json" if kind == "json" else "text/html"
    return Attached(f"report-{report.until:%Y-%m-%d}-{report.uid[-6:]}.{kind}", body, content_type)


def attached(uid: str) -> Attached:
    """What goes with a mail about a report."""
    return file_of(reports.find(uid), "html")


def _shown(figure: Mapping[str, Any]) -> str:
    return words.NOTHING if figure["value"] is None else reports.written(figure)


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    units = table.get("units") or [""] * len(table["rows"])
    rows = [
        [_cell(cell, unit, head) for cell, head in zip(row, table["columns"], strict=True)]
        for row, unit in zip(table["rows"], units, strict=True)
    ]
    heads = [{"text": title, "is_number": bool(rows) and rows[0][at]["is_number"]} for at, title in enumerate(table["columns"])]
    return {"title": table["title"], "columns": heads, "rows": rows}


def _cell(value: Any, unit: str, head: str) -> dict[str, Any]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"text": words.measured(value, unit) if is_number else "" if value is None else str(value), "is_number": is_number, "head": head}


def _series(chart: Mapping[str, Any]) -> list[Bar]:
    return [Bar(label, {tone: amounts[at] for tone, amounts in chart["parts"].items()}) for at, label in enumerate(chart["labels"])]
