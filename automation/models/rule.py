"""Rules: when this happens, and if that holds, then do; and what is remembered of each between two wakings."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from automation.enums import Concurrency, Mode, OnFailure, Severity
from config.acts.enums import Priority
from config.kernel.flow import clock
from config.kernel.models.base import EncryptedJSONField, Living, Row, UidField


class Rule(Row):
    """Trigger, optional condition, ordered actions, discipline, mode, owner. An empty owner is `system`."""

    is_configuration = True  # part of a backup of the configuration, without its secrets

    uid = UidField("rul_", unique=False)
    name = models.CharField(max_length=120)
    about = models.TextField(blank=True, default="", help_text="What it is for, for whoever finds it firing at night.")
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.OFF)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    # when
    trigger = models.CharField(max_length=128, help_text="Key of the trigger.")
    trigger_params = models.JSONField(default=dict, blank=True)
    subject_path = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Dotted path in the event, such as data.repository: each value is judged by itself.",
    )

    # if
    condition = models.TextField(blank=True, default="", help_text="In the language of conditions; empty: the trigger alone decides.")
    conditions = models.JSONField(
        default=dict, blank=True, help_text='Further limits, such as {"min_queue_age_minutes": 10}; all must hold.'
    )

    # then
    actions = EncryptedJSONField(help_text='[{"action": key, "params": {…}}, …], called in this order.')
    on_failure = models.CharField(max_length=8, choices=OnFailure.choices, default=OnFailure.STOP)
    severity = models.CharField(max_length=8, choices=Severity.choices, blank=True, default=Severity.NONE)
    timeout_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="All actions together; empty: the live option.")

    # discipline
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    for_seconds = models.PositiveIntegerField(default=0, help_text="How long it must have held without a dip.")
    cooldown_seconds = models.PositiveIntegerField(default=0, help_text="How long nothing happens after it fired.")
    debounce_seconds = models.PositiveIntegerField(default=0, help_text="How long it must have been quiet; the last event counts.")
    clear_condition = models.TextField(
        blank=True, default="", help_text="What must hold before it may fire again (hysteresis); empty: the condition no longer holds."
    )
    max_per_hour = models.PositiveIntegerField(null=True, blank=True)
    concurrency = models.CharField(max_length=8, choices=Concurrency.choices, default=Concurrency.SINGLE)
    max_parallel = models.PositiveIntegerField(default=1)
    is_deferrable = models.BooleanField(default=False, help_text="May wait while this machine is busy.")
    defer_minutes = models.PositiveIntegerField(default=30, help_text="How long at most.")

    pace_seconds = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="Of a schedule: its shortest pause. Rules that run often are counted."
    )
    managed_by = models.CharField(
        max_length=80, blank=True, default="", editable=False, help_text="Who keeps it; such a rule is read-only."
    )
    revision = models.PositiveIntegerField(default=1, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)
    last_fired_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager()
    living: ClassVar[Living] = Living()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="rule_name_once", condition=models.Q(deleted_at__isnull=True)),
            models.UniqueConstraint(fields=["uid"], name="rule_uid_once", condition=models.Q(deleted_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def owner_name(self) -> str:
        """As invocations want it: a user name, or `system`."""
        return self.owner.get_username() if self.owner else "system"

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The actions as a list, also when none is stored."""
        return list(self.actions or [])


class RuleState(models.Model):
    """What a rule remembers of one subject between two wakings; all of it survives a restart."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="states")
    subject = models.CharField(max_length=200, blank=True, default="")
    state = models.JSONField(default=dict, help_text="The trigger's own.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="When the trigger wants to be asked again.")
    quiet_at = models.DateTimeField(null=True, blank=True, help_text="When a de-bounced event counts.")
    quiet_event = models.CharField(max_length=64, blank=True, default="")
    quiet_facts = models.JSONField(default=dict, help_text="What the trigger said of it.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="The sample judged last.")
    was_true = models.BooleanField(default=False, help_text="Whether the condition held at that sample.")
    held_seconds = models.FloatField(default=0, help_text="How long it has held, gaps not counted.")
    is_active = models.BooleanField(default=False, help_text="It fired and has not cleared yet.")
    fired_at = models.DateTimeField(null=True, blank=True)
    verdict = models.ForeignKey("Verdict", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    signature = models.CharField(max_length=200, blank=True, default="", help_text="Result, reason and truths of that verdict.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "subject"], name="rule_state_once")]
        indexes = [
            models.Index(fields=["due_at"], name="rule_state_due", condition=models.Q(due_at__isnull=False)),
            models.Index(fields=["quiet_at"], name="rule_state_quiet", condition=models.Q(quiet_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.subject}"


class Cursor(models.Model):
    """How far a stream has been judged. Locked while somebody judges."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} {self.at}"
