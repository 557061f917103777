"""The routes of rules that the requirements print, exactly as written. Thin: each calls the same deed as the canonical API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import caller, ensure_may, ensure_may_change
from automation.api.control import Start, Status, Stop
from automation.api.executions import ExecutionFilter, light
from automation.api.rules import MANAGED, RUN, SEE, RuleFilter, plain, started
from automation.api.serializers.compat import AutonomousRuleIn, AutonomousRuleOut, ExecutionRow, StartedOut
from automation.api.serializers.executions import StatusOut
from automation.enums import Mode
from automation.models import Execution, Rule
from automation.services import rules
from automation.services.saving import spelling
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read

COMPAT = ("compatibility",)
SPELT = ("trigger", "action", "parameters")


class AutonomousStart(Start):
    """`POST /api/autonomous/automation/start`."""

    schema_tags = COMPAT

    @extend_schema(operation_id="autonomous_automation_start", request=None, responses=StatusOut, summary="Start automation")
    def post(self, request: Request) -> Response:
        """Where rules acted already, nothing happens."""
        return super().post(request)


class AutonomousStop(Stop):
    """`POST /api/autonomous/automation/stop`."""

    schema_tags = COMPAT

    @extend_schema(operation_id="autonomous_automation_stop", request=None, responses=StatusOut, summary="Stop automation")
    def post(self, request: Request) -> Response:
        """Nothing starts by itself any more; what runs ends, what a person starts still does."""
        return super().post(request)


class AutonomousStatus(Status):
    """`GET /api/autonomous/automation/status`."""

    schema_tags = COMPAT

    @extend_schema(operation_id="autonomous_automation_status", responses=StatusOut, summary="Read how automation stands")
    def get(self, request: Request) -> Response:
        """Running or stopped, rules that are on, success rate (0 to 1) and mean time in seconds."""
        return super().get(request)


class AutonomousRules(IdempotencyKey, Collection):
    """All living rules, by name."""

    schema_tags = COMPAT
    scopes = MANAGED
    throttle_kind = "manage"
    serializer_class = AutonomousRuleOut
    filterset_class = RuleFilter

    def get_queryset(self) -> QuerySet[Rule]:
        return rules.listed()

    @extend_schema(request=AutonomousRuleIn, responses={201: AutonomousRuleOut}, summary="Add a rule that is on")
    def post(self, request: Request) -> Response:
        """`parameters` are the trigger's and the action's together: each goes to whichever knows it."""
        sent = plain(read(AutonomousRuleIn, request).validated_data)
        fields = spelling.fields(sent.pop("trigger"), sent.pop("action"), sent.pop("parameters", {}))
        ensure_may(request, fields["actions"])
        with spelling.naming(spelling.RULE_WORDS):
            made = rules.create(owner=caller(request), **{"mode": Mode.ON, **mode_of(sent), **fields})
        return Response(AutonomousRuleOut(rules.find(made.uid)).data, status=201)


class AutonomousRule(View):
    """`/api/autonomous/automation/rules/{rule_id}`."""

    schema_tags = COMPAT
    scopes = MANAGED
    throttle_kind = "manage"

    @extend_schema(responses=AutonomousRuleOut, summary="Read a rule")
    def get(self, request: Request, rule_id: str) -> Response:
        """By id or name."""
        return Response(AutonomousRuleOut(rules.find(rule_id)).data)

    @extend_schema(request=AutonomousRuleIn(partial=True), responses=AutonomousRuleOut, summary="Change a rule")
    def put(self, request: Request, rule_id: str) -> Response:
        """What is left out stays; `parameters` are given whole, a secret that comes masked stays."""
        rule = rules.find(rule_id)
        sent = plain(read(AutonomousRuleIn, request, partial=True).validated_data)
        spelt = spelling.changes(rule, **{name: sent.pop(name) for name in SPELT if name in sent})
        fields = {**mode_of(sent), **spelt}
        ensure_may_change(request, rule, fields)
        with spelling.naming(spelling.RULE_WORDS):
            rules.update(rule, editor=caller(request), **fields)
        return Response(AutonomousRuleOut(rules.find(rule.uid)).data)

    @extend_schema(responses={204: None}, summary="Delete a rule")
    def delete(self, request: Request, rule_id: str) -> Response:
        """With its schedule; its history stays."""
        rules.delete(rules.find(rule_id))
        return Response(status=204)


class AutonomousExecute(IdempotencyKey, View):
    """`POST /api/autonomous/automation/rules/{rule_id}/execute`."""

    schema_tags = COMPAT
    scope = RUN

    @extend_schema(request=None, responses={202: StartedOut}, summary="Run a rule now")
    def post(self, request: Request, rule_id: str) -> Response:
        """Whatever its trigger and conditions say, with the caller's rights."""
        return Response(StartedOut(started(request, rule_id)).data, status=202)


class AutonomousExecutions(Collection):
    """Executions, newest first, with inputs and outputs."""

    schema_tags = COMPAT
    scope = SEE
    serializer_class = ExecutionRow
    filterset_class = ExecutionFilter

    def get_queryset(self) -> QuerySet[Execution]:
        return light(Execution.objects.all()).defer("facts", "parts", "rule__actions", "event__body")


def mode_of(sent: dict[str, Any]) -> dict[str, Any]:
    """`enabled` as a mode."""
    rest = {name: value for name, value in sent.items() if name != "enabled"}
    return {**rest, "mode": Mode.ON if sent["enabled"] else Mode.OFF} if "enabled" in sent else rest
