"""Shapes of the routes that the requirements print."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.api.serializers.executions import ExecutionOut
from automation.api.serializers.fields import Steps, seconds
from automation.api.serializers.rules import TEXT, StepOut
from automation.enums import AutomationTrigger, Mode, Severity
from automation.models import Execution, Rule
from automation.services import executions
from automation.services.saving import spelling
from config.doors.api import ModelSerializer, Moment
from config.doors.bodies import Body, ObjectField, PriorityField
from config.kernel.wire import redact

TRIGGERS = [(name, name) for name in AutomationTrigger.__members__]


class TriggerName(serializers.ChoiceField):
    """One of the five names, in upper or lower case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=TRIGGERS, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.strip().upper() if isinstance(data, str) else data)


@extend_schema_field({"type": "string", "enum": [name for name in Severity.values if name]})
class SeverityWord(serializers.ChoiceField):
    """`AlertSeverity.HIGH`, `HIGH` or `high`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[one for one in Severity.choices if one[0]], **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(spelling.severity(data) if isinstance(data, str) else data)


class AutonomousRuleIn(Body):
    """A rule with one action."""

    name = serializers.CharField(max_length=120)
    trigger = TriggerName()
    action = serializers.CharField(max_length=128, help_text="CLEANUP_CACHE, cleanup_cache or automation.cleanup_cache.")
    parameters = ObjectField(required=False, help_text="Of the trigger and of the action, in one object.")
    conditions = ObjectField(required=False, help_text='Further limits, all of which must hold: {"min_queue_age_minutes": 10}')
    priority = PriorityField(required=False)
    enabled = serializers.BooleanField(required=False)


class AutonomousRuleOut(ModelSerializer):
    """A rule; of several actions the first."""

    id = serializers.CharField(source="uid", read_only=True)
    rule_id = serializers.CharField(source="uid", read_only=True)
    trigger, action = serializers.SerializerMethodField(), serializers.SerializerMethodField()
    parameters = serializers.SerializerMethodField()
    conditions = ObjectField(read_only=True)
    enabled = serializers.SerializerMethodField()
    mode = serializers.ChoiceField(choices=Mode.choices, read_only=True)
    priority = PriorityField(read_only=True)
    owner = serializers.CharField(source="owner_name", read_only=True)
    last_run = Moment(source="last_fired_at", read_only=True, allow_null=True)
    next_run = serializers.SerializerMethodField()

    class Meta:
        model = Rule
        fields = [
            *("id", "rule_id", "name", "trigger", "action", "parameters", "conditions", "enabled", "mode", "priority", "owner"),
            *("last_run", "next_run", "created_at"),
        ]

    def get_trigger(self, rule: Rule) -> str:
        """By its name, or its key where it has none."""
        return spelling.trigger_name(rule.trigger)

    def get_action(self, rule: Rule) -> str:
        """By its name, or its key where it has none; empty for a rule that only raises an alert."""
        return spelling.action_name(rule.steps[0]["action"]) if rule.steps else ""

    @extend_schema_field(ObjectField)
    def get_parameters(self, rule: Rule) -> dict[str, Any]:
        """Of the trigger and of the action, secrets masked."""
        return spelling.merged(rule)

    def get_enabled(self, rule: Rule) -> bool:
        """Whether it acts."""
        return bool(rule.mode == Mode.ON)

    @extend_schema_field(Moment(allow_null=True))
    def get_next_run(self, rule: Rule) -> Any:
        """Where it is known before."""
        return getattr(rule, "next_run_at", None)


class StartedOut(ExecutionOut):
    """An execution that was started."""

    execution_id = serializers.CharField(source="uid", read_only=True)

    class Meta(ExecutionOut.Meta):
        fields = ["execution_id", *ExecutionOut.Meta.fields]


class ExecutionRow(ExecutionOut):
    """An execution with what went in and what came out."""

    inputs = serializers.SerializerMethodField()
    outputs = serializers.SerializerMethodField()

    class Meta(ExecutionOut.Meta):
        fields = [*ExecutionOut.Meta.fields, "inputs", "outputs"]

    @extend_schema_field(StepOut(many=True))
    def get_inputs(self, row: Execution) -> list[dict[str, Any]]:
        """Its actions and their parameters, secrets masked."""
        return executions.shown_actions(row)

    @extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": True, "nullable": True}})
    def get_outputs(self, row: Execution) -> list[Any]:
        """What each call gave, in order; those of a whole list are read at once."""
        if not hasattr(self, "_calls"):
            rows = self.parent.instance if isinstance(self.parent, serializers.ListSerializer) else [row]
            self._calls = executions.calls_of(list(rows or [row]))
        return [redact.data(call.output) for call in self._calls[row.uid]]


class AlertActionIn(Body):
    """An action of an alert rule."""

    type = serializers.CharField(max_length=128, help_text="scale_infrastructure, notify_slack, or the key of any action.")
    parameters = ObjectField(required=False)


class AlertRuleIn(Body):
    """A rule that raises an alert."""

    name = serializers.CharField(max_length=120)
    condition = serializers.CharField(max_length=TEXT, help_text="cpu_usage > 80 AND duration > 5m")
    severity = SeverityWord(help_text="Also as HIGH or AlertSeverity.HIGH.")
    actions = Steps(child=AlertActionIn(), required=False)
    cooldown_period = seconds(help_text="Seconds in which nothing happens after it fired.")
    enabled = serializers.BooleanField(required=False)


class AlertActionOut(serializers.Serializer[Any]):
    """An action of an alert rule; secrets are masked."""

    type = serializers.CharField()
    parameters = ObjectField()


class AlertRuleOut(ModelSerializer):
    """A rule that raises an alert."""

    id = serializers.CharField(source="uid", read_only=True)
    severity = serializers.ChoiceField(choices=[one for one in Severity.choices if one[0]], read_only=True)
    actions = serializers.SerializerMethodField()
    cooldown_period = serializers.IntegerField(source="cooldown_seconds", read_only=True)
    enabled = serializers.SerializerMethodField()
    owner = serializers.CharField(source="owner_name", read_only=True)

    class Meta:
        model = Rule
        fields = [
            *("id", "name", "condition", "severity", "actions", "cooldown_period", "enabled", "owner"),
            *("last_fired_at", "created_at", "changed_at"),
        ]

    @extend_schema_field(AlertActionOut(many=True))
    def get_actions(self, rule: Rule) -> list[dict[str, Any]]:
        """By the names of the requirements where they have one."""
        return spelling.alert_actions(rule)

    def get_enabled(self, rule: Rule) -> bool:
        """Whether it acts."""
        return bool(rule.mode == Mode.ON)
