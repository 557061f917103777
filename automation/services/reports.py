"""Makes reports of what registered reporters contribute, keeps and sends them. Called by the action, the API, the pages, the command."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction

from automation.models import Report
from config.acts.plugins.reporters import KINDS, Part, Period, reporters
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, NotFound, TooLarge, capture
from config.kernel.flow.tidy import remove
from config.kernel.models import AuditRecord, Notification
from config.kernel.watch import audit, notifications
from config.look import words

MAX_BYTES = 2_000_000
LONGEST = timedelta(days=366)
USUAL = timedelta(hours=24)
NOTHING_KEPT = "No data of this kind is kept yet."
FAILED = "This part could not be made; the log says why."


def generate(
    types: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    recipients: Sequence[str] = (),
    created_by: str = "system",
    key: str | None = None,
) -> tuple[Report, list[Notification]]:
    """Make and keep a report of `types` over a period (the last 24 hours); it, and the rows of the mails that take it to `recipients`.

    Under a `key` that was used before it is the report of then. Raises InvalidInput for an unknown type or an impossible period.
    """
    wanted, period = _types(types), _period(since, until)
    made = Report.objects.filter(key=key).first() if key else None
    if made is None:
        made = _stored(wanted, period, list(recipients), created_by, key)
    return made, _mailed(made)


def find(uid: str) -> Report:
    """The report. Raises NotFound."""
    found = Report.objects.filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no report {uid!r}. It may have been removed after its retention time.")
    return found


def delete_old(now: datetime) -> int:
    """Remove reports past REPORT_RETENTION_DAYS; how many."""
    return remove(Report.objects.filter(created_at__lt=now - timedelta(days=options.get("REPORT_RETENTION_DAYS"))))


def _types(types: Sequence[str]) -> list[str]:
    unknown = [name for name in types if name not in KINDS]
    if unknown or not types:
        said = f"There is no report of {unknown[0]!r}" if unknown else "A report needs at least one type"
        raise InvalidInput(f"{said}. There are: {', '.join(KINDS)}.", fields={"report_types": [f"Choose of {', '.join(KINDS)}."]})
    return [name for name in KINDS if name in types]


def _period(since: datetime | None, until: datetime | None) -> Period:
    end = min(until or clock.now(), clock.now())
    try:
        begin = since or end - USUAL
    except OverflowError:  # the year 1 has no day before it
        raise InvalidInput("Nothing is known of that time. Give a later `until`.", fields={"until": ["Too early."]}) from None
    if not begin < end:
        raise InvalidInput("The period is empty: it begins when it ends, or later.", fields={"since": ["This must be before its end."]})
    if end - begin > LONGEST:
        raise InvalidInput("The period is longer than 366 days.", fields={"since": ["At most 366 days before the end."]})
    return Period(clock.in_utc(begin), clock.in_utc(end))


def _stored(types: list[str], period: Period, recipients: list[str], created_by: str, key: str | None) -> Report:
    written_out = orjson.dumps({"parts": [part for kind in types for part in _parts(kind, period)]})
    content, size = orjson.loads(written_out), len(written_out)
    if size > MAX_BYTES:
        raise TooLarge(f"The report would have {size:,} bytes, more than {MAX_BYTES:,}. Ask for a shorter period or fewer types.")
    title = f"{' and '.join(filter(None, [', '.join(types[:-1]), types[-1]]))} report".capitalize()
    values = {"title": title, "types": types, "since": period.since, "until": period.until, "content": content, "size": size}
    with transaction.atomic():
        made = Report.objects.create(**values, recipients=recipients, created_by=created_by[:150], key=key)
        audit.record("report.generated", made, kind=AuditRecord.Kind.ACTION_EXECUTION, types=types, recipients=recipients)
    return made


def _parts(kind: str, period: Period) -> list[dict[str, Any]]:
    asked = sorted(((key, one) for key, one in reporters.all().items() if one.kind == kind), key=lambda pair: pair[1].order)
    found = []
    for key, reporter in asked:
        part = Part(kind.capitalize(), note=FAILED)
        with capture("report.part_failed", reporter=key), transaction.atomic():
            part = reporter.make(period)
        found.append(part)
    return [_plain(kind, part) for part in found or [Part(kind.capitalize(), note=NOTHING_KEPT)]]


def _plain(kind: str, part: Part) -> dict[str, Any]:
    return {"type": kind, **asdict(part)}


def _mailed(report: Report) -> list[Notification]:
    if not report.recipients:
        return []
    period = f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"
    return notifications.notify(
        f"{report.title}, {period}",
        message=_in_short(report.content),
        urgency="low",
        link=f"/reports/{report.uid}",
        subject=f"report:{report.uid}",
        channels=["email"],
        recipients=report.recipients,
        attachment=f"automation.report:{report.uid}",
    )


def _in_short(content: Mapping[str, Any]) -> str:
    lines = []
    for part in content["parts"]:
        lines += ["", part["title"], *([part["note"]] if part["note"] else [])]
        lines += [f"  {figure['label']}: {written(figure)}" for figure in part["figures"]]
    return "\n".join(lines).strip()


def written(figure: Mapping[str, Any]) -> str:
    """A figure as people read it: `1,204`, `98.2 %`, `12.4 ms`."""
    value, unit = figure["value"], figure["unit"]
    if value is None:
        return "nothing to measure"
    return words.percent(value) if unit == "%" else words.measured(value, unit)
