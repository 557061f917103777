"""Shapes of executions, and of how automation stands."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.api.serializers.rules import PartOut, StepOut
from automation.enums import ExecutionStatus, Reason
from automation.models import Execution
from automation.services import control, executions
from config.acts.models import Invocation
from config.doors.api import ModelSerializer
from config.doors.bodies import Body, ObjectField, PriorityField
from config.kernel.wire import redact


class CallOut(ModelSerializer):
    """One call of an action that the execution made."""

    id = serializers.CharField(source="uid", read_only=True)
    output = serializers.SerializerMethodField()

    class Meta:
        model = Invocation
        fields = [
            *("id", "action", "summary", "status", "attempts", "error_code", "error_message", "output"),
            *("created_at", "started_at", "ended_at"),
        ]

    @extend_schema_field({"type": "object", "additionalProperties": True, "nullable": True})
    def get_output(self, row: Invocation) -> Any:
        """What has a telling name or look is masked."""
        return redact.data(row.output)


class ExecutionOut(ModelSerializer):
    """One waking of a rule that fired, was held, or was refused."""

    id = serializers.CharField(source="uid", read_only=True)
    rule_id = serializers.CharField(source="rule.uid", read_only=True, allow_null=True, default=None)
    status = serializers.ChoiceField(choices=ExecutionStatus.choices, read_only=True)
    reason = serializers.ChoiceField(choices=Reason.choices, read_only=True)
    priority = PriorityField(read_only=True)
    event_id = serializers.CharField(source="event.uid", read_only=True, allow_null=True, default=None)
    seconds = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = Execution
        fields = [
            *("id", "rule_id", "name", "source", "status", "is_shadow", "reason", "reason_text", "priority", "subject", "event_id"),
            *("correlation_id", "owner", "actor", "created_at", "held_until", "started_at", "ended_at", "seconds"),
            *("error_code", "error_message"),
        ]


class ExecutionDetail(ExecutionOut):
    """All of it."""

    parts = PartOut(many=True, read_only=True)
    facts = ObjectField(read_only=True)
    actions = serializers.SerializerMethodField()
    invocations = serializers.SerializerMethodField()

    class Meta(ExecutionOut.Meta):
        fields = [*ExecutionOut.Meta.fields, "timeout_seconds", "deadline_at", "facts", "parts", "actions", "invocations"]

    @extend_schema_field(StepOut(many=True))
    def get_actions(self, row: Execution) -> list[dict[str, Any]]:
        """As they were when it fired, parameters filled in, secrets masked."""
        return executions.shown_actions(row)

    @extend_schema_field(CallOut(many=True))
    def get_invocations(self, row: Execution) -> Any:
        """The calls that were made, in order."""
        return CallOut(executions.invocations_of(row), many=True).data


class CancelExecutionIn(Body):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class StatusOut(serializers.Serializer[Any]):
    """How automation stands; over all kept executions."""

    controller_status = serializers.ChoiceField(choices=["running", "stopped"])
    active_rules = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="0 to 1, of executions that ran to an end; 0 when there are none.")
    average_execution_time = serializers.FloatField(help_text="Seconds; 0 when there are none.")


class ConfigOut(Body):
    """The seven values in force."""

    level = serializers.ChoiceField(choices=["manual", "assisted", "intelligent", "autonomous"])
    max_concurrent_actions = serializers.IntegerField()
    retry_attempts = serializers.IntegerField()
    timeout_seconds = serializers.IntegerField()
    monitoring_interval = serializers.IntegerField(help_text="Seconds.")
    enable_predictive_scaling = serializers.BooleanField()
    enable_ml_optimization = serializers.BooleanField()


class ProfileIn(Body):
    """Values with a name."""

    profile = serializers.ChoiceField(choices=list(control.PROFILES))


class TriggerOut(serializers.Serializer[Any]):
    """A kind of waking, and what its parameters are."""

    key = serializers.CharField()
    name = serializers.CharField(help_text="As the requirements have it, such as SCHEDULED; empty where they have none.")
    title, about = serializers.CharField(), serializers.CharField()
    source = serializers.CharField(help_text="What executions carry as their source.")  # type: ignore[assignment]
    wakes = serializers.ChoiceField(choices=["event", "clock", "sample"])
    repeats = serializers.BooleanField(help_text="It fires again with each sample while it holds.")
    parameters = ObjectField(help_text="A JSON Schema.")


class NameOut(serializers.Serializer[Any]):
    """A name that conditions may use."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["number", "text", "flag", "list", "any"])
    unit = serializers.CharField(help_text="`%`, `s`, `bytes`, `/s`, or empty.")
    about = serializers.CharField()


class ConditionIn(Body):
    """A condition, and values to judge it by."""

    condition = serializers.CharField(max_length=8192)
    values = ObjectField(required=False, help_text="Left out: what was measured last.")


class ConditionOut(serializers.Serializer[Any]):
    """Whether it can be used, and how it would be judged now."""

    is_valid = serializers.BooleanField()  # type: ignore[assignment]
    problem = serializers.CharField(help_text="What is wrong where, and the nearest name; empty when nothing is.")
    text = serializers.CharField(help_text="As it was understood.")
    names = serializers.ListField(child=serializers.CharField())
    for_seconds = serializers.FloatField(help_text="From `duration > 5m`.")
    truth = serializers.BooleanField(allow_null=True, help_text="Null: not known.")
    parts = PartOut(many=True)
