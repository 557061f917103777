"""`/api/v1/automation/rules`: when this happens, and if that holds, then do."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import caller, ensure_may, ensure_may_change
from automation.api.serializers.executions import ExecutionDetail
from automation.api.serializers.rules import ModeIn, RuleIn, RuleOut, VerdictOut, WarningsOut
from automation.enums import Mode, Reason, Result, Severity, trigger_key
from automation.models import Rule, Verdict
from automation.services import executions, rules
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.doors.filters import MomentFilter
from config.kernel.language import json_text

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "workflows:execute"
MANAGED = {"GET": SEE, "POST": MANAGE, "PUT": MANAGE, "PATCH": MANAGE, "DELETE": MANAGE}
TAGS = ("rules",)
RULE = Q(rule__deleted_at__isnull=True)


class RuleFilter(filters.FilterSet):
    """Filters of the list."""

    mode = filters.MultipleChoiceFilter(choices=Mode.choices)
    trigger = filters.CharFilter(method="by_trigger", help_text="Key or name.")
    severity = filters.MultipleChoiceFilter(choices=[one for one in Severity.choices if one[0]])
    owner = filters.CharFilter(method="by_owner", help_text="A user name, or `system`.")
    q = filters.CharFilter(method="by_words", help_text="Part of the name, of what it is about, or of its condition.")

    class Meta:
        model = Rule
        fields = ["mode", "trigger", "severity", "owner", "q"]

    def by_trigger(self, rows: QuerySet[Rule], name: str, value: str) -> QuerySet[Rule]:
        """`SCHEDULED` is the same as `automation.schedule`."""
        return rows.filter(trigger=trigger_key(value))

    def by_owner(self, rows: QuerySet[Rule], name: str, value: str) -> QuerySet[Rule]:
        """Rules without an owner are the system's."""
        return rows.filter(owner__isnull=True) if value == "system" else rows.filter(owner__username=value)

    def by_words(self, rows: QuerySet[Rule], name: str, value: str) -> QuerySet[Rule]:
        """Anywhere in the words."""
        return rows.filter(Q(name__icontains=value) | Q(about__icontains=value) | Q(condition__icontains=value))


class Rules(IdempotencyKey, Collection):
    """All living rules, by name."""

    scopes = MANAGED
    schema_tags = TAGS
    schema_errors = ("429",)
    throttle_kind = "manage"
    serializer_class = RuleOut
    filterset_class = RuleFilter

    def get_queryset(self) -> QuerySet[Rule]:
        return rules.listed()

    @extend_schema(request=RuleIn, responses={201: RuleOut}, summary="Add a rule")
    def post(self, request: Request) -> Response:
        """Its owner is the caller, with whose rights its actions run. Off unless `mode` says otherwise. Too many rules: 429."""
        sent = read(RuleIn, request).validated_data
        ensure_may(request, sent.get("actions", ()))
        made = rules.create(owner=caller(request), **plain(sent))
        return Response(RuleOut(rules.find(made.uid)).data, status=201)


class OneRule(View):
    """One rule, by id or name."""

    scopes = MANAGED
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(responses=RuleOut, summary="Read a rule")
    def get(self, request: Request, rule_id: str) -> Response:
        """Secrets among the parameters are masked."""
        return Response(RuleOut(rules.find(rule_id)).data)

    @extend_schema(request=RuleIn, responses=RuleOut, summary="Replace a rule")
    def put(self, request: Request, rule_id: str) -> Response:
        """What is left out goes back to its default; a secret that comes masked stays."""
        return changed(request, rule_id, {**rules.defaults(), **read(RuleIn, request).validated_data})

    @extend_schema(request=RuleIn(partial=True), responses=RuleOut, summary="Change a rule")
    def patch(self, request: Request, rule_id: str) -> Response:
        """What is left out stays; a secret that comes masked stays."""
        return changed(request, rule_id, read(RuleIn, request, partial=True).validated_data)

    @extend_schema(responses={204: None}, summary="Delete a rule")
    def delete(self, request: Request, rule_id: str) -> Response:
        """What waits is cancelled; executions and verdicts stay until their retention ends."""
        rules.delete(rules.find(rule_id))
        return Response(status=204)


class RuleMode(View):
    """Switch a rule."""

    scope = MANAGE
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(request=ModeIn, responses=RuleOut, summary="Switch a rule off, to shadow, or on")
    def post(self, request: Request, rule_id: str) -> Response:
        """In shadow it records what it would do, and does nothing."""
        return changed(request, rule_id, read(ModeIn, request).validated_data)


class ExecuteRule(IdempotencyKey, View):
    """Run a rule by hand."""

    scope = RUN
    schema_tags = TAGS

    @extend_schema(request=None, responses={202: ExecutionDetail}, summary="Run a rule now")
    def post(self, request: Request, rule_id: str) -> Response:
        """Whatever its trigger and conditions say, also while automation is stopped; with the caller's rights: each action's class is
        needed, of the token too. Read what became of it at `/api/v1/automation/executions/{id}`."""
        return Response(ExecutionDetail(started(request, rule_id)).data, status=202)


class RuleWarnings(View):
    """What to know before switching a rule on."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(responses=WarningsOut, summary="Read what speaks against switching a rule on")
    def get(self, request: Request, rule_id: str) -> Response:
        """Loops (rule → action → event → rule), and other rules that do something else to the same thing."""
        return Response({"warnings": list(rules.warnings(rules.find(rule_id)))})


class VerdictFilter(filters.FilterSet):
    """Filters of the list."""

    rule = filters.CharFilter(method="by_rule", help_text="Id or name.")
    result = filters.MultipleChoiceFilter(choices=Result.choices)
    reason = filters.MultipleChoiceFilter(choices=Reason.choices)
    subject = filters.CharFilter()
    event = filters.CharFilter(field_name="event_uid")
    since = MomentFilter(field_name="last_at", lookup_expr="gte")
    until = MomentFilter(field_name="first_at", lookup_expr="lt")

    class Meta:
        model = Verdict
        fields = ["rule", "result", "reason", "subject", "event", "since", "until"]

    def by_rule(self, rows: QuerySet[Verdict], name: str, value: str) -> QuerySet[Verdict]:
        """Deleted rules are found by id only."""
        return rows.filter(Q(rule__uid=value) | Q(rule__name=value) & RULE)


class Verdicts(Collection):
    """Why rules fired or did not, newest first."""

    scope = SEE
    schema_tags = TAGS
    serializer_class = VerdictOut
    filterset_class = VerdictFilter

    def get_queryset(self) -> QuerySet[Verdict]:
        return Verdict.objects.select_related("rule", "execution").only(*LIGHT).order_by("-id")


# A list needs neither the encrypted actions of a rule nor those of an execution.
LIGHT = [*(field.name for field in Verdict._meta.concrete_fields), "rule__uid", "rule__name", "execution__uid"]


class VerdictsOfRule(Verdicts):
    """Why this rule fired or did not, newest first."""

    def get_queryset(self) -> QuerySet[Verdict]:
        if getattr(self, "swagger_fake_view", False):
            return Verdict.objects.none()
        return super().get_queryset().filter(rule=rules.find(self.kwargs["rule_id"]))


def plain(sent: Any) -> dict[str, Any]:
    """What was sent as the services take it: objects and lists as JSON has them."""
    found: dict[str, Any] = json_text.read(json_text.write(sent))
    return found


def changed(request: Request, rule_id: str, fields: Any) -> Response:
    """The rule with these fields."""
    rule = rules.find(rule_id)
    ensure_may_change(request, rule, fields)
    rules.update(rule, editor=caller(request), **plain(fields))
    return Response(RuleOut(rules.find(rule.uid)).data)


def started(request: Request, rule_id: str) -> Any:
    """The execution of a rule that the caller may run."""
    rule = rules.find(rule_id)
    ensure_may(request, rule.steps)
    return executions.run_now(rule, user=caller(request).get_username())
