"""Shapes of sources and receipts."""

from rest_framework import serializers

from config.doors.api import ModelSerializer
from config.doors.bodies import Body, ObjectField
from webhooks.api.serializers.fields import UpperOrLower
from webhooks.enums import Preset, ReceiptStatus, SourceStatus
from webhooks.models import Receipt, Source
from webhooks.services import sources


class SourceIn(Body):
    """A sender."""

    slug = serializers.SlugField(max_length=48)
    name = serializers.CharField(required=False, allow_blank=True, max_length=120)
    preset = UpperOrLower(choices=Preset.choices)
    secret = serializers.CharField(required=False, allow_blank=True, max_length=500, trim_whitespace=False)
    config = ObjectField(required=False)
    rate_per_second = serializers.FloatField(required=False, allow_null=True, min_value=0.01, max_value=100000)
    rate_burst = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100000)
    max_body_bytes = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=268435456)
    github_hook = serializers.CharField(required=False, allow_blank=True, max_length=200)


class SourceOut(ModelSerializer):
    """A sender. Its secret is never among it."""

    id = serializers.CharField(source="uid", read_only=True)
    status = serializers.ChoiceField(choices=SourceStatus.choices, read_only=True)
    preset = serializers.ChoiceField(choices=Preset.choices, read_only=True)
    config = ObjectField(read_only=True)
    url = serializers.SerializerMethodField(help_text="Where the sender is to send.")
    has_secret = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = [
            "id",
            "slug",
            "name",
            "preset",
            "status",
            "url",
            "has_secret",
            "config",
            "rate_per_second",
            "rate_burst",
            "max_body_bytes",
            "github_hook",
            "gap_checked_at",
            "created_at",
        ]

    def get_url(self, source: Source) -> str:
        """Absolute, under PUBLIC_URL."""
        return sources.setup_help(source).url

    def get_has_secret(self, source: Source) -> bool:
        """Without one everything is refused."""
        return bool(source.secret)


class SourceMade(SourceOut):
    """A new source, with its secret: shown this once."""

    secret = serializers.SerializerMethodField()

    class Meta(SourceOut.Meta):
        fields = [*SourceOut.Meta.fields, "secret"]

    def get_secret(self, source: Source) -> str:
        """Given by the deed that made it."""
        return str(self.context["secret"])


class ReceiptOut(ModelSerializer):
    """One inbound request."""

    id = serializers.CharField(source="uid", read_only=True)
    source = serializers.CharField(source="source.slug", read_only=True)  # type: ignore[assignment]
    event_id = serializers.CharField(source="event.uid", read_only=True, default=None, allow_null=True)
    status = serializers.ChoiceField(choices=ReceiptStatus.choices, read_only=True)

    class Meta:
        model = Receipt
        fields = [
            "id",
            "source",
            "hook_id",
            "delivery_id",
            "event_type",
            "status",
            "reason",
            "warning",
            "event_id",
            "body_size",
            "content_type",
            "remote_address",
            "correlation_id",
            "created_at",
        ]


class ReceiptDetail(ReceiptOut):
    """A receipt with what the operator is told and the headers that came."""

    headers = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta(ReceiptOut.Meta):
        fields = [*ReceiptOut.Meta.fields, "explanation", "headers"]
