"""The action `automation.generate_report`: a report is made, kept, and sent to whom it is meant for."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime

from automation.forms.reports import ReportForm
from automation.services import messages, reports
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Outcome


class GenerateReport(Action):
    """Under the key of the call there is one report, however often it is started."""

    title = "Generate a report"
    about = "Counts what happened over a period, keeps it as a report, and sends it by mail."
    runs = "inline"
    effect = "idempotent"
    Parameters = ReportForm

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Done once every mail was taken; the output names the report."""
        if call.state:
            return messages.outcome(call.state["notifications"], also={"report": call.state["report"]})
        whole: dict[str, Any] = {"recipients": params.get("recipients") or [], "created_by": call.owner, "key": call.key or None}
        made, mails = reports.generate(params["report_types"], **_period(params), **whole)
        also = {"report": made.uid}
        return messages.outcome([mail.uid for mail in mails], also=also) if mails else Done(also)

    def summary(self, params: Mapping[str, Any]) -> str:
        """What of."""
        return f"Report of {', '.join(params['report_types'])}"


def _period(params: Mapping[str, Any]) -> dict[str, Any]:
    since, until = (_moment(params.get(name)) for name in ("since", "until"))
    back = timedelta(seconds=params.get("period") or reports.USUAL.total_seconds())
    return {"since": since or (until or clock.now()) - back, "until": until}


def _moment(given: str | datetime | None) -> datetime | None:
    found = parse_datetime(given) if isinstance(given, str) and given else given or None
    return clock.in_utc(found) if isinstance(found, datetime) else None


actions.register("automation.generate_report", GenerateReport(), module=__name__)
