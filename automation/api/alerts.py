"""`/api/v1/alerts/rules`: rules with a severity, by the words of the requirements. Each is a rule like any other."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import caller, ensure_may, ensure_may_change
from automation.api.rules import MANAGED, RuleFilter, plain
from automation.api.serializers.compat import AlertRuleIn, AlertRuleOut
from automation.enums import Mode, Severity
from automation.models import Rule
from automation.services import rules
from automation.services.saving import spelling
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.kernel.flow.errors import NotFound

SCOPES = {**MANAGED, "GET": "alerts:view"}
TAGS = ("alert-rules",)


class AlertRules(IdempotencyKey, Collection):
    """All living rules that raise an alert, by name."""

    scopes = SCOPES
    schema_tags = TAGS
    throttle_kind = "manage"
    serializer_class = AlertRuleOut
    filterset_class = RuleFilter

    def get_queryset(self) -> QuerySet[Rule]:
        return rules.listed().exclude(severity=Severity.NONE)

    @extend_schema(request=AlertRuleIn, responses={201: AlertRuleOut}, summary="Add an alert rule that is on")
    def post(self, request: Request) -> Response:
        """A rule that is judged with each sample, raises an alert of this severity and runs the actions; its owner is the caller."""
        fields = spelling.alert_fields(plain(read(AlertRuleIn, request).validated_data))
        ensure_may(request, fields.get("actions", ()))
        with spelling.naming(spelling.ALERT_WORDS):
            made = rules.create(owner=caller(request), trigger=spelling.THRESHOLD, **{"mode": Mode.ON, **fields})
        return Response(AlertRuleOut(rules.find(made.uid)).data, status=201)


class OneAlertRule(View):
    """One rule that raises an alert."""

    scopes = SCOPES
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(responses=AlertRuleOut, summary="Read an alert rule")
    def get(self, request: Request, rule_id: str) -> Response:
        """By id or name."""
        return Response(AlertRuleOut(alert_rule(rule_id)).data)

    @extend_schema(request=AlertRuleIn(partial=True), responses=AlertRuleOut, summary="Change an alert rule")
    def patch(self, request: Request, rule_id: str) -> Response:
        """What is left out stays; a secret that comes masked stays."""
        rule = alert_rule(rule_id)
        fields = spelling.alert_fields(plain(read(AlertRuleIn, request, partial=True).validated_data))
        ensure_may_change(request, rule, fields)
        with spelling.naming(spelling.ALERT_WORDS):
            rules.update(rule, editor=caller(request), **fields)
        return Response(AlertRuleOut(rules.find(rule.uid)).data)

    @extend_schema(responses={204: None}, summary="Delete an alert rule")
    def delete(self, request: Request, rule_id: str) -> Response:
        """Its executions and verdicts stay until their retention ends."""
        rules.delete(alert_rule(rule_id))
        return Response(status=204)


def alert_rule(rule_id: str) -> Rule:
    """The rule. Raises NotFound for one that raises no alert, too."""
    rule = rules.find(rule_id)
    if not rule.severity:
        raise NotFound(f"The rule {rule.name!r} raises no alert; it is at /api/v1/automation/rules/{rule.uid}.")
    return rule
