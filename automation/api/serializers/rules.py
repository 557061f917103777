"""Shapes of rules, trials, back-tests and verdicts."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.api.serializers.fields import MOST_SECONDS, Steps, seconds
from automation.enums import Concurrency, Mode, OnFailure, Reason, Result, Severity
from automation.models import Rule, Verdict
from automation.services import rules
from automation.services.judging import wording
from config.doors.api import ModelSerializer, Moment
from config.doors.bodies import Body, ObjectField, PriorityField

TEXT = 8192


class StepIn(Body):
    """One action and its parameters, which may hold `${data.name}`."""

    action = serializers.CharField(max_length=128, help_text="Key or name: automation.cleanup_cache, CLEANUP_CACHE.")
    params = ObjectField(required=False, help_text="A secret that comes masked (`********`) stays as it is stored.")


class RuleIn(Body):
    """A rule."""

    name = serializers.CharField(max_length=120)
    about = serializers.CharField(required=False, allow_blank=True, max_length=TEXT)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False, help_text="Made rules are off unless this says otherwise.")
    trigger = serializers.CharField(max_length=128, help_text="Key or name: automation.threshold, THRESHOLD_BASED.")
    trigger_params = ObjectField(required=False, help_text="GET /api/v1/automation/triggers has their schema.")
    subject_path = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Path in the event, such as data.repository: each value by itself."
    )
    condition = serializers.CharField(required=False, allow_blank=True, max_length=TEXT, help_text="cpu_usage > 80 AND duration > 5m")
    conditions = ObjectField(required=False, help_text='Further limits: {"min_queue_age_minutes": 10}')
    actions = Steps(child=StepIn(), required=False, help_text="In this order, at most 20.")
    on_failure = serializers.ChoiceField(choices=OnFailure.choices, required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False, allow_blank=True, help_text="Of the alert it raises.")
    timeout_seconds = serializers.IntegerField(min_value=1, max_value=MOST_SECONDS, required=False, allow_null=True)
    priority = PriorityField(required=False)
    for_seconds = seconds(help_text="How long it must have held without a dip.")
    cooldown_seconds = seconds(help_text="How long nothing happens after it fired.")
    debounce_seconds = seconds(help_text="How long it must have been quiet; the last event counts.")
    clear_condition = serializers.CharField(required=False, allow_blank=True, max_length=TEXT)
    max_per_hour = serializers.IntegerField(min_value=1, max_value=MOST_SECONDS, required=False, allow_null=True)
    concurrency = serializers.ChoiceField(choices=Concurrency.choices, required=False)
    max_parallel = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    is_deferrable = serializers.BooleanField(required=False, help_text="May wait while this machine is busy.")
    defer_minutes = serializers.IntegerField(min_value=1, max_value=10_080, required=False)


class ModeIn(Body):
    """Off, shadow or on."""

    mode = serializers.ChoiceField(choices=Mode.choices)


class StepOut(serializers.Serializer[Any]):
    """One action; secrets are masked."""

    action = serializers.CharField()
    params = ObjectField()


class RuleOut(ModelSerializer):
    """A rule."""

    id = serializers.CharField(source="uid", read_only=True)
    owner = serializers.CharField(source="owner_name", read_only=True)
    mode = serializers.ChoiceField(choices=Mode.choices, read_only=True)
    severity = serializers.ChoiceField(choices=Severity.choices, read_only=True)
    priority = PriorityField(read_only=True)
    concurrency = serializers.ChoiceField(choices=Concurrency.choices, read_only=True)
    on_failure = serializers.ChoiceField(choices=OnFailure.choices, read_only=True)
    trigger_params, conditions = ObjectField(read_only=True), ObjectField(read_only=True)
    wakes = serializers.SerializerMethodField(help_text="When, in words.")
    actions = serializers.SerializerMethodField()
    last_run_at = Moment(source="last_fired_at", read_only=True, allow_null=True)
    next_run_at = serializers.SerializerMethodField(help_text="Where it is known before: of schedules and absences.")

    class Meta:
        model = Rule
        fields = ["id", *rules.FIELDS, "wakes", "owner", "managed_by", "revision", "last_run_at", "next_run_at", "created_at", "changed_at"]

    @extend_schema_field(StepOut(many=True))
    def get_actions(self, rule: Rule) -> list[dict[str, Any]]:
        """Masked."""
        return rules.shown_actions(rule)

    def get_wakes(self, rule: Rule) -> str:
        """By its trigger."""
        return wording.when(rule)

    @extend_schema_field(Moment(allow_null=True))
    def get_next_run_at(self, rule: Rule) -> Any:
        """As `rules.listed` found it."""
        return getattr(rule, "next_run_at", None)


class WarningsOut(serializers.Serializer[Any]):
    """What to know before it is switched on; none: nothing was found."""

    warnings = serializers.ListField(child=serializers.CharField())


class TryIn(Body):
    """On a past event, on values of yours, or, with neither, on what was measured last."""

    event = serializers.CharField(required=False, max_length=64, help_text="Id of a stored event.")
    values = ObjectField(required=False, help_text='Name → value: {"cpu_usage": 91}')

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "event" in attrs and "values" in attrs:
            raise serializers.ValidationError("Give an event or values, not both.")
        return attrs


class TryDraftIn(TryIn):
    """The same for a rule that is not stored."""

    rule = RuleIn()


class PartOut(serializers.Serializer[Any]):
    """A part of the condition, as it was judged."""

    text = serializers.CharField()
    name = serializers.CharField(required=False)
    value = serializers.JSONField(allow_null=True)
    needs = serializers.CharField()
    unit = serializers.CharField()
    truth = serializers.BooleanField(allow_null=True, help_text="Null: not known.")
    sentence = serializers.CharField()


class PlannedOut(StepOut):
    """An action as it would be called."""

    title = serializers.CharField()
    summary = serializers.CharField()


class TriedOut(serializers.Serializer[Any]):
    """What would happen."""

    result = serializers.ChoiceField(choices=Result.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    text = serializers.CharField()
    parts = PartOut(many=True)
    actions = PlannedOut(many=True)
    problem = serializers.CharField(help_text="Why an action could not be called; empty when all could.")


class BackTestIn(Body):
    """Which window; the last seven days when nothing is said."""

    since = Moment(required=False)
    until = Moment(required=False)


class BackTestDraftIn(BackTestIn):
    """The same for a rule that is not stored."""

    rule = RuleIn()


class FiringOut(serializers.Serializer[Any]):
    """A moment it would have fired at."""

    at = Moment()
    subject = serializers.CharField()
    event = serializers.CharField()
    text = serializers.CharField()


class BackTestOut(serializers.Serializer[Any]):
    """What would have happened."""

    since, until = Moment(), Moment()
    covered_until = Moment(help_text="How far it came within its time.")
    is_complete = serializers.BooleanField()
    judged, fired = serializers.IntegerField(), serializers.IntegerField()
    firings = FiringOut(many=True, help_text="The first 200.")
    results = serializers.DictField(child=serializers.IntegerField())
    held = serializers.DictField(child=serializers.IntegerField(), help_text="Reason → how often its discipline kept it back.")


class VerdictOut(ModelSerializer):
    """How a rule was judged, as long as it said the same."""

    rule_id = serializers.CharField(source="rule.uid", read_only=True)
    rule = serializers.CharField(source="rule.name", read_only=True)
    result = serializers.ChoiceField(choices=Result.choices, read_only=True)
    reason = serializers.ChoiceField(choices=Reason.choices, read_only=True)
    parts = PartOut(many=True, read_only=True)
    extremes = serializers.DictField(read_only=True, help_text="Name → [least, most] over the whole length.")
    event_id = serializers.CharField(source="event_uid", read_only=True, help_text="The event judged last, if by event.")
    execution_id = serializers.CharField(source="execution.uid", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Verdict
        fields = [
            *("rule_id", "rule", "subject", "result", "reason", "text", "parts", "extremes"),
            *("first_at", "last_at", "count", "event_id", "execution_id"),
        ]
