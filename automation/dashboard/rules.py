"""The pages of rules: the list, which says of each when it fired and why it did not since, and one rule."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponseBase

from automation.enums import ENDED_BADLY, Mode, Result
from automation.forms.examples import EXAMPLES
from automation.models import Execution, Rule, RuleState, Verdict
from automation.services import control, rules
from automation.services.judging import wording
from config.acts.plugins.actions import actions
from config.acts.plugins.triggers import triggers
from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.plugins.contracts import Page
from config.kernel.plugins.contracts import pages as navigation
from config.look import pages
from config.look.parameters import choices_of

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "actions:execute_standard"
navigation.register("automation.rules", Page("Rules", "/rules", "Automation", 310, SEE))

HOURS = 24
VERDICTS_SHOWN, EXECUTIONS_SHOWN, SUBJECTS_SHOWN = 25, 10, 10
MODE_TONES = {Mode.ON: "ok", Mode.SHADOW: "info", Mode.OFF: "off"}
TONES = {
    Result.FIRED: "ok",
    Result.SHADOW: "info",
    Result.HELD: "held",
    Result.REFUSED: "bad",
    Result.NOT_MET: "off",
    Result.UNKNOWN: "held",
}
EXPORTED = {
    "id": lambda rule: rule.uid,
    "name": lambda rule: rule.name,
    "mode": lambda rule: rule.mode,
    "trigger": lambda rule: rule.trigger,
    "when": wording.when,
    "priority": lambda rule: rule.get_priority_display(),
    "owner": lambda rule: rule.owner_name,
    "last_fired_at": lambda rule: rule.last_fired_at,
    "changed_at": lambda rule: rule.changed_at,
}


@dataclass(frozen=True)
class Line:
    """One rule of the list."""

    rule: Rule
    when: str
    verdict: Verdict | None = None
    hours: Sequence[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    @property
    def mode_tone(self) -> str:
        """Colour and shape of its mode."""
        return MODE_TONES[Mode(self.rule.mode)]

    @property
    def why(self) -> str:
        """The sentence of the current verdict; what is known without one."""
        if self.rule.mode == Mode.OFF:
            return "It is off."
        if self.verdict is None:
            return "Nothing woke it yet."
        return self.verdict.text or str(self.verdict.get_reason_display()).capitalize()

    @property
    def tone(self) -> str:
        """Of the verdict."""
        return TONES[Result(self.verdict.result)] if self.verdict and self.rule.mode != Mode.OFF else "off"


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/rules`"""
    rows = _filtered(request)
    file = pages.export(request, rows, EXPORTED, name="rules")
    if file is not None:
        return file
    page = pages.listed(request, with_next(rows))
    shown = {
        "page": page,
        "lines": lines(page.rows),
        "modes": Mode.choices,
        "triggers": choices_of(triggers),
        "examples": EXAMPLES,
        "is_filtered": any(request.GET.get(name) for name in ("mode", "trigger", "q")),
        "may_manage": permissions.may(request.user, MANAGE),
        "is_running": control.is_running(),
    }
    return pages.draw(request, "automation/rules.html", shown)


def _filtered(request: HttpRequest) -> "QuerySet[Rule]":
    rows: QuerySet[Rule] = Rule.living.select_related("owner").defer("actions").order_by("name")
    if mode := request.GET.get("mode", ""):
        rows = rows.filter(mode=mode)
    if trigger := request.GET.get("trigger", ""):
        rows = rows.filter(trigger=trigger)
    if asked := request.GET.get("q", "").strip()[:100]:
        rows = rows.filter(Q(name__icontains=asked) | Q(about__icontains=asked) | Q(condition__icontains=asked) | Q(uid=asked))
    return rows


def with_next(rows: "QuerySet[Rule]") -> "QuerySet[Rule]":
    """With `next_at`, when its trigger wants to be asked next, and `verdict_id`, how it was judged last."""
    latest = Verdict.objects.filter(rule=OuterRef("pk")).order_by("-id").values("pk")[:1]
    due = RuleState.objects.filter(rule=OuterRef("pk"), due_at__isnull=False).order_by().values("rule").annotate(at=Min("due_at"))
    return rows.annotate(verdict_id=Subquery(latest), next_at=Subquery(due.values("at")[:1]))


def lines(rows: Sequence[Rule]) -> list[Line]:
    """The rules with their verdicts and the last 24 hours, in two statements."""
    verdicts = Verdict.objects.in_bulk([row.verdict_id for row in rows if row.verdict_id])  # type: ignore[attr-defined]
    hours = _hours([row.pk for row in rows])
    found = []
    for row in rows:
        marks = hours.get(row.pk, {})
        count = sum(sum(pair) for pair in marks.values())
        verdict = verdicts.get(row.verdict_id)  # type: ignore[attr-defined]
        found.append(Line(row, wording.when(row), verdict, strip(marks), count))
    return found


def _hours(keys: Iterable[int]) -> Mapping[int, dict[datetime, tuple[int, int]]]:
    """For each rule and hour of the last day: executions that went well or are open, and those that ended badly."""
    since = _first_hour()
    rows = Execution.objects.filter(rule__in=list(keys), created_at__gte=since).exclude(status="skipped").order_by()
    found: dict[int, dict[datetime, tuple[int, int]]] = defaultdict(dict)
    by_hour = rows.annotate(hour=TruncHour("created_at", tzinfo=UTC)).values("rule", "hour")
    counted = by_hour.annotate(every=Count("id"), bad=Count("id", filter=Q(status__in=ENDED_BADLY)))
    for rule, hour, every, bad in counted.values_list("rule", "hour", "every", "bad"):
        found[rule][hour] = (every - bad, bad)
    return found


def _first_hour() -> datetime:
    return clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def strip(marks: Mapping[datetime, tuple[int, int]]) -> list[tuple[str, str]]:
    """One mark an hour: a tone, and what happened in it."""
    found = []
    for index in range(HOURS):
        hour = _first_hour() + timedelta(hours=index)
        good, bad = marks.get(hour, (0, 0))
        tone = "bad" if bad else "ok" if good else "off"
        ran = f"{good + bad} executions, {bad} failed" if bad else f"{good} execution{'' if good == 1 else 's'}" if good else "nothing"
        found.append((tone, f"{hour:%H}:00 UTC: {ran}"))
    return found


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/rules/<uid>`"""
    rule = one(uid)
    shown = {
        **standing(rule),
        "verdicts": [(one, TONES[Result(one.result)]) for one in _verdicts(rule)],
        "executions": rule.executions.defer("actions", "facts", "parts")[:EXECUTIONS_SHOWN],
        "may_manage": permissions.may(request.user, MANAGE) and not rule.managed_by,
        "may_run": permissions.may(request.user, RUN) and bool(rule.steps),
        "is_running": control.is_running(),
    }
    if not request.headers.get("HX-Request"):
        shown |= {"warnings": [*rules.warnings(rule), *_lacking(rule)], "words": words(rule)}
    return pages.draw(request, "automation/rule.html", shown)


def _verdicts(rule: Rule) -> "QuerySet[Verdict]":
    heavy = [f"execution__{name}" for name in ("actions", "facts", "parts")]
    return rule.verdicts.select_related("execution").defer(*heavy)[:VERDICTS_SHOWN]


def standing(rule: Rule) -> dict[str, Any]:
    """How it stands now: its line, and what it remembers of each subject."""
    row = with_next(Rule.living.filter(pk=rule.pk).select_related("owner")).get()
    states = RuleState.objects.filter(rule=rule).exclude(subject="").select_related("verdict").order_by("-verdict__last_at", "id")
    return {"rule": row, "line": lines([row])[0], "states": states[:SUBJECTS_SHOWN]}


def words(rule: Rule) -> dict[str, Any]:
    """The rule in plain words."""
    return {
        "when": wording.when(rule),
        "conditions": wording.conditions(rule),
        "steps": wording.steps(rule),
        "discipline": wording.discipline(rule),
    }


def one(uid: str) -> Rule:
    """The living rule. Raises NotFound."""
    found: Rule = pages.one(Rule.living.select_related("owner"), uid, what="rule")
    return found


def _lacking(rule: Rule) -> list[str]:
    """Plug-ins that it names and that are gone."""
    missing = [step["action"] for step in rule.steps if step["action"] not in actions.all()]
    return [f"The action {key} is not installed any more; the rule fails there." for key in missing]
