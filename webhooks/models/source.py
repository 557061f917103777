"""Who may send to us, and how each proves who it is."""

from typing import ClassVar

from django.db import models

from config.kernel.flow.transitions import Steps
from config.kernel.models.base import EncryptedJSONField, EncryptedTextField, Living, Row, UidField
from webhooks.enums import SOURCE_STEPS, Preset, SourceStatus


class Source(Row):
    """A sender with an address of its own: `POST /in/<slug>`."""

    is_configuration = True  # part of a backup of the configuration, without its secrets
    steps: ClassVar[Steps] = SOURCE_STEPS

    uid = UidField("src_")
    slug = models.SlugField(max_length=48, help_text="The last part of the address, and the first part of its events' names.")
    name = models.CharField(max_length=120, blank=True, default="")
    preset = models.CharField(max_length=16, choices=Preset.choices, default=Preset.HMAC)
    status = models.CharField(max_length=16, choices=SourceStatus.choices, default=SourceStatus.ACTIVE)
    secret = EncryptedTextField(blank=True, default="", help_text="The key of the signature, the bearer token, or `user:password`.")
    old_secrets = EncryptedJSONField(null=True, blank=True, editable=False, help_text="[[secret, accepted until as ISO 8601], …]")
    config = models.JSONField(default=dict, blank=True, help_text="What the preset leaves open, such as header names; see the set-up help.")
    rate_per_second = models.FloatField(null=True, blank=True, help_text="Requests per second; empty: INBOUND_RATE_PER_SECOND.")
    rate_burst = models.PositiveIntegerField(null=True, blank=True, help_text="Requests at once; empty: INBOUND_RATE_BURST.")
    max_body_bytes = models.PositiveIntegerField(null=True, blank=True, help_text="Largest body; empty: INBOUND_MAX_BODY_BYTES.")
    github_hook = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="`repos/OWNER/NAME/hooks/ID` or `orgs/NAME/hooks/ID`: where missed deliveries are looked for (needs GITHUB_TOKEN).",
    )
    gap_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    gap_state = models.JSONField(default=dict, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager()
    living = Living()

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["slug"], condition=models.Q(deleted_at__isnull=True), name="source_slug_once")]

    def __str__(self) -> str:
        return self.slug
