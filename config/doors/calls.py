"""How the API answers when it was asked for an action: with the call, whose end is read elsewhere. Used by `api/` of each app."""

from rest_framework import serializers

from config.acts.models import Invocation
from config.doors.api import ModelSerializer


class AskedOut(ModelSerializer):
    """The call that was asked for; it runs on its own, and `GET /api/v1/automation/invocations/{id}` says what became of it."""

    id = serializers.CharField(source="uid", read_only=True)

    class Meta:
        model = Invocation
        fields = ["id", "action", "summary", "target", "status", "created_at"]
        read_only_fields = fields
