"""`/api/v1/automation/backups`: archives of data, and what was kept before fixes."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.serializers.reports import BackupIn, BackupOut
from automation.services import backups
from config.acts.models import Backup
from config.acts.running import invocations
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.doors.calls import AskedOut

ACTION = "automation.backup_data"
SCOPES = {"GET": "metrics:view", "POST": "actions:execute_standard"}


class BackupFilter(filters.FilterSet):
    """Filters of the list."""

    kind = filters.ChoiceFilter(choices=Backup.Kind.choices)

    class Meta:
        model = Backup
        fields = ["kind"]


class Backups(IdempotencyKey, Collection):
    """Backups of both kinds, newest first."""

    scopes = SCOPES
    schema_tags = ("backups",)
    serializer_class = BackupOut
    filterset_class = BackupFilter

    def get_queryset(self) -> QuerySet[Backup]:
        return Backup.objects.order_by("-id")

    @extend_schema(request=BackupIn, responses={202: AskedOut}, summary="Back up data")
    def post(self, request: Request) -> Response:
        """Asks for the action `automation.backup_data`; the backup is in the list once it was read back."""
        invocations.ensure_asked_by(request, invocations.find_action(ACTION))
        params = {"backup_types": ["database", "config"], **read(BackupIn, request).validated_data}
        asked = invocations.call(ACTION, params, owner=request.user.get_username(), caller="api")
        return Response(AskedOut(asked).data, status=202)


class OneBackup(View):
    """One backup."""

    scopes = SCOPES
    schema_tags = ("backups",)

    @extend_schema(responses=BackupOut, summary="Read a backup")
    def get(self, request: Request, backup_id: str) -> Response:
        """What is in it, with sizes and checksums."""
        return Response(BackupOut(backups.find(backup_id)).data)


class VerifyBackup(View):
    """Read an archive from end to end."""

    scopes = SCOPES
    schema_tags = ("backups",)

    @extend_schema(request=None, responses=BackupOut, summary="Verify a backup")
    def post(self, request: Request, backup_id: str) -> Response:
        """400 when it is damaged or not on this machine."""
        return Response(BackupOut(backups.verify(backups.find(backup_id))).data)
