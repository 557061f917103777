"""Shapes of reports and backups."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.models import Report
from automation.services.backups import TYPES, USUAL_DAYS
from config.acts.models import Backup
from config.acts.plugins.reporters import KINDS
from config.doors.api import ModelSerializer, Moment
from config.doors.bodies import Body


class Kinds(serializers.ListField):
    """A few words of a short list."""

    def __init__(self, *, choices: Any, **options: Any) -> None:
        child = serializers.ChoiceField(choices=[(one, one) for one in choices])
        super().__init__(child=child, min_length=1, max_length=len(choices), **options)


class ReportIn(Body):
    """What to report, of when, and to whom."""

    report_types = Kinds(choices=KINDS)
    since = Moment(required=False, help_text="24 hours before its end when left out.")
    until = Moment(required=False, help_text="Now when left out.")
    recipients = serializers.ListField(child=serializers.EmailField(), required=False, max_length=100)


class ReportOut(ModelSerializer):
    """A report without what is in it."""

    id = serializers.CharField(source="uid", read_only=True)
    types = serializers.ListField(child=serializers.CharField(), read_only=True)
    recipients = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Report
        fields = ["id", "title", "types", "since", "until", "size", "recipients", "created_by", "created_at"]
        read_only_fields = fields


@extend_schema_field({"type": "object", "additionalProperties": True})
class AnyObject(serializers.JSONField):
    """A JSON object."""


class ReportDetail(ReportOut):
    """A report with its parts: figures, charts and tables."""

    content = AnyObject(read_only=True)

    class Meta(ReportOut.Meta):
        fields = [*ReportOut.Meta.fields, "content"]
        read_only_fields = fields


class BackupIn(Body):
    """What to back up, and for how long it is kept."""

    backup_types = Kinds(choices=TYPES, required=False, help_text="The database and the configuration when left out.")
    retention_days = serializers.IntegerField(min_value=1, max_value=3650, default=USUAL_DAYS)


class BackupOut(ModelSerializer):
    """One archive. It cannot be fetched from here: it holds everything."""

    id = serializers.CharField(source="uid", read_only=True)
    types = serializers.ListField(child=serializers.CharField(), read_only=True)
    manifest = AnyObject(read_only=True)

    class Meta:
        model = Backup
        fields = [
            "id",
            "kind",
            "types",
            "subject",
            "size",
            "sha256",
            "manifest",
            "host",
            "created_by",
            "created_at",
            "verified_at",
            "restored_at",
            "expires_at",
        ]
        read_only_fields = fields
