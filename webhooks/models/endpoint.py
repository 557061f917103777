"""Who wants to hear from us: an outside URL, what it subscribed to, and how it is to be treated."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from config.kernel.flow.transitions import Steps
from config.kernel.models.base import EncryptedJSONField, EncryptedTextField, Living, Row, UidField
from config.kernel.wire import redact
from webhooks.enums import ENDPOINT_STEPS, EndpointStatus, Security, Strategy


class Endpoint(Row):
    """An outside URL that receives events. An empty number means: the live option of that name."""

    is_configuration = True  # part of a backup of the configuration, without its secrets
    steps: ClassVar[Steps] = ENDPOINT_STEPS

    uid = UidField("wh_", unique=False)
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=300, blank=True, default="")
    status = models.CharField(max_length=16, choices=EndpointStatus.choices, default=EndpointStatus.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True, default="")
    events = models.JSONField(
        default=list, help_text="Exact names, `prefix.*`, or `*` for all but inbound types and our own delivery.* and endpoint.*."
    )
    filter_conditions = models.JSONField(
        default=dict, blank=True, help_text='Conditions on the data, such as {"amount": {"$gt": 100}}; all must hold.'
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    # who we say we are
    security = models.CharField(max_length=16, choices=Security.choices, default=Security.HMAC_SHA256)
    secret = EncryptedTextField(blank=True, default="", editable=False)
    old_secrets = EncryptedJSONField(null=True, blank=True, editable=False, help_text="[[secret, signs until as ISO 8601], …]")
    secret_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    signing_key = EncryptedTextField(
        blank=True, default="", editable=False, help_text="ed25519 secret key (`whsk_…`), where `v1a` signatures are wanted."
    )
    headers = EncryptedJSONField(null=True, blank=True, help_text="Extra headers of each request.")

    # how hard we try
    timeout_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="Total time of one request.")
    retry_strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.EXPONENTIAL)
    retry_base_seconds = models.PositiveIntegerField(null=True, blank=True)
    max_attempts = models.PositiveIntegerField(null=True, blank=True, help_text="Attempts in all, the first included.")
    retry_max_delay_seconds = models.PositiveIntegerField(default=86400)
    retry_jitter = models.FloatField(default=0, help_text="0 to 1: each delay is lengthened by a random part of up to this share.")
    retry_schedule = models.JSONField(
        default=list, blank=True, help_text="Delays in seconds before attempts 1, 2, …, for the strategy `schedule`."
    )
    auto_disable_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days of unbroken failure before it is disabled; 0 never."
    )
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    warned_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When people were last told that it fails and will be disabled."
    )
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)

    # how fast
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Requests per minute; more are delayed, never dropped.")
    rate_held_until = models.DateTimeField(null=True, blank=True, editable=False)
    max_in_flight = models.PositiveIntegerField(null=True, blank=True, help_text="Requests open at once.")
    ordering_key = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Dotted path in the data; events with the same value are delivered one after another, in order.",
    )
    batch_enabled = models.BooleanField(default=False, help_text="Group events into one request of type events.batch.")
    batch_size = models.PositiveIntegerField(default=100)
    batch_max_wait_seconds = models.PositiveIntegerField(default=5)

    # the breaker, as the claim needs it; kernel Breaker is the truth
    breaker_open_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_delivered_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager()
    living = Living()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["uid"], condition=models.Q(deleted_at__isnull=True), name="endpoint_uid_once")]

    def __str__(self) -> str:
        return self.title

    @staticmethod
    def called(asked: str) -> models.Q:
        """Those with `asked` in what people call them: their description or URL."""
        return models.Q(description__icontains=asked) | models.Q(url__icontains=asked)

    @property
    def breaker_key(self) -> str:
        """The key of this endpoint's breaker."""
        return f"endpoint:{self.pk}"

    @property
    def shown_url(self) -> str:
        """The URL as people may see it in lists and stories: what lets somebody in is masked."""
        return redact.url(self.url)

    @property
    def title(self) -> str:
        """What people call it: its description, and where there is none its address."""
        return self.description.rstrip(".") or self.shown_url

    @property
    def is_active(self) -> bool:
        """What routes call `active`."""
        return self.status == EndpointStatus.ACTIVE
