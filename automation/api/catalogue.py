"""`/api/v1/automation/triggers, names, conditions/check`: what rules may be made of."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.rules import SEE
from automation.api.serializers.executions import ConditionIn, ConditionOut, NameOut, TriggerOut
from automation.enums import AutomationTrigger
from automation.services.judging import catalogue, drafts
from config.acts.plugins.triggers import Trigger, triggers
from config.acts.running import forms
from config.doors.api import View
from config.doors.bodies import read

TAGS = ("rules",)
NAMES = {member.value: member.name for member in AutomationTrigger}


class Triggers(View):
    """What may wake a rule."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(responses=TriggerOut(many=True), summary="List the triggers that there are")
    def get(self, request: Request) -> Response:
        """Each with the JSON Schema of its parameters."""
        return Response([_described(key, trigger) for key, trigger in sorted(triggers.all().items())])


class Names(View):
    """What conditions may name."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(responses=NameOut(many=True), summary="List the names that conditions may use")
    def get(self, request: Request) -> Response:
        """By name, with unit and meaning. Event rules may also use `data.…`, whatever the event brings."""
        return Response([asdict(fact) for _, fact in sorted(catalogue.known().items())])


class CheckCondition(View):
    """Look at a condition before it is used."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(request=ConditionIn, responses=ConditionOut, summary="Check a condition")
    def post(self, request: Request) -> Response:
        """What is wrong with it, or each of its parts as it would be judged on the values, or on what was measured last."""
        sent = read(ConditionIn, request).validated_data
        return Response(ConditionOut(drafts.check_condition(sent["condition"], values=sent.get("values"))).data)


def _described(key: str, trigger: Trigger) -> dict[str, Any]:
    shown = {name: getattr(trigger, name) for name in ("title", "about", "source", "wakes", "repeats")}
    return {"key": key, "name": NAMES.get(key, ""), **shown, "parameters": forms.schema(trigger.Parameters)}
