"""Wakings of rules, and why they came or did not come about."""

from typing import ClassVar

from django.db import models

from automation.enums import EXECUTION_STEPS, ExecutionStatus, Reason, Result
from automation.models.rule import Rule
from config.acts.enums import Priority
from config.kernel.flow import clock
from config.kernel.flow.transitions import Steps
from config.kernel.models import Event
from config.kernel.models.base import EncryptedJSONField, Row, UidField


class Execution(Row):
    """One waking of a rule (or of a health check) that fired, was held, or was refused; its invocations name it as their caller."""

    steps: ClassVar[Steps] = EXECUTION_STEPS

    uid = UidField("exe_")
    rule = models.ForeignKey(Rule, null=True, blank=True, on_delete=models.PROTECT, related_name="executions")
    name = models.CharField(max_length=120, help_text="Of the rule or the health check.")
    key = models.CharField(max_length=250, null=True, blank=True, unique=True, help_text="A waking happens once under it.")
    source = models.CharField(max_length=24, help_text="schedule, queue, threshold, event, user_activity, health_check, manual, alert …")
    status = models.CharField(max_length=12, choices=ExecutionStatus.choices, default=ExecutionStatus.PENDING)
    is_shadow = models.BooleanField(default=False)
    reason = models.CharField(max_length=16, choices=Reason.choices, default=Reason.MET)
    reason_text = models.TextField(blank=True, default="")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    subject = models.CharField(max_length=200, blank=True, default="")
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    hops = models.PositiveSmallIntegerField(default=0)
    owner = models.CharField(max_length=150, default="system", help_text="Whose rights its actions run with.")
    actor = models.CharField(max_length=150, blank=True, default="", help_text="Who started it by hand.")
    facts = models.JSONField(default=dict, blank=True, help_text="What its condition and parameters saw.")
    parts = models.JSONField(default=list, blank=True, help_text="The parts of the condition as they were judged.")
    actions = EncryptedJSONField(null=True, blank=True, help_text="The actions as they were when it fired, parameters filled in.")
    on_failure = models.CharField(max_length=8, default="stop")
    position = models.PositiveIntegerField(default=0, help_text="How many actions have ended.")
    current = models.CharField(max_length=64, blank=True, default="", help_text="The invocation that is being waited for.")
    failures = models.PositiveIntegerField(default=0)
    timeout_seconds = models.PositiveIntegerField(default=3600)
    held_until = models.DateTimeField(null=True, blank=True, help_text="Not started before, because this machine is busy.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["-priority", "id"], name="execution_pending", condition=models.Q(status="pending")),
            models.Index(fields=["deadline_at"], name="execution_running", condition=models.Q(status="running")),
            models.Index(fields=["rule", "-id"], name="execution_by_rule"),
            models.Index(fields=["event"], name="execution_by_event", condition=models.Q(event__isnull=False)),
            models.Index(fields=["created_at"], name="execution_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.uid}"

    @property
    def seconds(self) -> float | None:
        """How long it ran."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at and self.started_at else None


class Verdict(Row):
    """How a rule was judged, run-length: one row for as long as result, reason and the truth of each part stay the same."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="verdicts")
    subject = models.CharField(max_length=200, blank=True, default="")
    result = models.CharField(max_length=8, choices=Result.choices)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    text = models.TextField(blank=True, default="", help_text="The sentence, as of the last time.")
    parts = models.JSONField(default=list, blank=True, help_text="Each part of the condition with its last value.")
    extremes = models.JSONField(default=dict, blank=True, help_text="Name → [least, most] over the whole length.")
    first_at = models.DateTimeField(default=clock.now)
    last_at = models.DateTimeField(default=clock.now)
    count = models.PositiveIntegerField(default=1)
    event_uid = models.CharField(max_length=64, blank=True, default="", help_text="The event judged last.")
    execution = models.ForeignKey(Execution, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["rule", "-id"], name="verdict_by_rule"),
            models.Index(fields=["last_at"], name="verdict_by_time"),
            models.Index(fields=["event_uid"], name="verdict_by_event", condition=~models.Q(event_uid="")),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.result}"
