"""`/api/v1/approvals` and `/api/v1/automation/actions`, `…/invocations`: what may be done, what was done, what waits for a yes."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.acts.models import Approval, Invocation
from config.acts.plugins.actions import Action, actions
from config.acts.running import approvals, forms, invocations
from config.doors.api import Collection, IdempotencyKey, ModelSerializer, View
from config.doors.bodies import Body, PriorityField, read
from config.kernel.desk import permissions
from config.kernel.flow.errors import Conflict, NotFound
from config.kernel.wire import redact

SEE, RUN = "workflows:view", "actions:execute_standard"


class ActionOut(serializers.Serializer[Any]):
    """An action, and what its parameters are."""

    key = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    permission = serializers.ChoiceField(choices=["standard", "critical"])
    scopes = serializers.ListField(child=serializers.CharField(), help_text="All permissions that its owner needs.")
    effect = serializers.ChoiceField(choices=["none", "idempotent", "once"])
    runs = serializers.ChoiceField(choices=["inline", "child"])
    can_undo = serializers.BooleanField()
    timeout_seconds = serializers.FloatField(allow_null=True)
    parameters = serializers.DictField(help_text="A JSON Schema.")


class InvocationOut(ModelSerializer):
    """One call of an action, without what may be long."""

    id = serializers.CharField(source="uid", read_only=True)
    priority = PriorityField(read_only=True)
    undoes = serializers.CharField(source="undoes.uid", allow_null=True, default=None, read_only=True)

    class Meta:
        model = Invocation
        fields = [
            "id",
            "action",
            "summary",
            "status",
            "owner",
            "caller",
            "priority",
            "attempts",
            "target",
            "error_code",
            "error_message",
            "undoes",
            "created_at",
            "due_at",
            "started_at",
            "ended_at",
            "run_seconds",
            "correlation_id",
        ]


class InvocationDetail(InvocationOut):
    """All of it; secrets among the parameters are masked."""

    params = serializers.SerializerMethodField()
    output = serializers.SerializerMethodField()

    class Meta(InvocationOut.Meta):
        fields = [*InvocationOut.Meta.fields, "timeout_seconds", "holder", "params", "output", "log"]

    def get_params(self, row: Invocation) -> dict[str, Any]:
        """Masked."""
        return invocations.masked(row)

    def get_output(self, row: Invocation) -> dict[str, Any] | None:
        """What has a telling name or look is masked here, too."""
        found: dict[str, Any] | None = redact.data(row.output)
        return found


class CallIn(Body):
    """A call to be made."""

    action = serializers.CharField(max_length=128)
    parameters = serializers.DictField(required=False, default=dict)
    timeout_seconds = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0.001, max_value=86400)

    def validate_action(self, key: str) -> str:
        """One that is installed."""
        try:
            invocations.find_action(key)
        except NotFound as missing:
            raise serializers.ValidationError(missing.message) from None
        return key


class CancelIn(Body):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ApprovalOut(ModelSerializer):
    """A question, and its answer."""

    id = serializers.CharField(source="uid", read_only=True)
    waits = serializers.CharField(source="subject", read_only=True)
    detail = serializers.JSONField(read_only=True)

    class Meta:
        model = Approval
        fields = [
            "id",
            "waits",
            "question",
            "detail",
            "asked_by",
            "scope",
            "status",
            "created_at",
            "expires_at",
            "decided_by",
            "decided_at",
            "note",
        ]


class NoteIn(Body):
    """A word beside the answer."""

    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class InvocationFilter(filters.FilterSet):
    """Filters of the list."""

    status = filters.MultipleChoiceFilter(choices=Invocation.Status.choices)
    caller = filters.CharFilter(lookup_expr="startswith")

    class Meta:
        model = Invocation
        fields = ["status", "action", "owner", "caller", "correlation_id"]


class ApprovalFilter(filters.FilterSet):
    """Filters of the list."""

    status = filters.MultipleChoiceFilter(choices=Approval.Status.choices)
    waits = filters.CharFilter(field_name="subject")

    class Meta:
        model = Approval
        fields = ["status"]


class Actions(View):
    """The catalogue."""

    scope = SEE
    schema_tags = ["actions"]

    @extend_schema(responses=ActionOut(many=True), summary="List the actions that there are")
    def get(self, request: Request) -> Response:
        """Every action with the JSON Schema of its parameters, by key."""
        return Response([described(key, action) for key, action in sorted(actions.all().items())])


class OneAction(View):
    """One action."""

    scope = SEE
    schema_tags = ["actions"]

    @extend_schema(responses=ActionOut, summary="Read an action and its parameters")
    def get(self, request: Request, key: str) -> Response:
        """With the JSON Schema of its parameters."""
        return Response(described(key, invocations.find_action(key)))


class Invocations(IdempotencyKey, Collection):
    """Calls, newest first."""

    scopes = {"GET": SEE, "POST": RUN}
    schema_tags = ["actions"]
    serializer_class = InvocationOut
    filterset_class = InvocationFilter

    def get_queryset(self) -> QuerySet[Invocation]:
        return Invocation.objects.select_related("undoes").defer("params", "output", "log", "state", "undoes__params").order_by("-id")

    @extend_schema(request=CallIn, responses={202: InvocationDetail}, summary="Have an action run")
    def post(self, request: Request) -> Response:
        """It runs with the caller's rights: a critical action needs `actions:execute_critical`, of the token too."""
        given = read(CallIn, request).validated_data
        invocations.ensure_asked_by(request, invocations.find_action(given["action"]))
        row = invocations.call(
            given["action"],
            given["parameters"],
            owner=request.user.get_username(),
            caller="api",
            timeout_seconds=given["timeout_seconds"],
        )
        return Response(InvocationDetail(row).data, status=202)


class OneInvocation(View):
    """One call."""

    scope = SEE
    schema_tags = ["actions"]

    @extend_schema(responses=InvocationDetail, summary="Read a call and what became of it")
    def get(self, request: Request, uid: str) -> Response:
        """With parameters (secrets masked), output and the end of what it printed."""
        return Response(InvocationDetail(invocations.find(uid)).data)


class CancelInvocation(View):
    """End a call."""

    scope = RUN
    schema_tags = ["actions"]

    @extend_schema(request=CancelIn, responses={202: InvocationDetail}, summary="Cancel a call")
    def post(self, request: Request, uid: str) -> Response:
        """At once where it waits; where it runs its process is stopped, and it is `cancelled` when that is done."""
        reason = read(CancelIn, request).validated_data["reason"]
        row = invocations.find(uid)
        ensure_may_touch(request, row)
        if not invocations.cancel(row, reason=reason):
            raise Conflict(f"The call is {row.status}; there is nothing left to cancel.")
        return Response(InvocationDetail(invocations.find(uid)).data, status=202)


class UndoInvocation(View):
    """Take back a call."""

    scope = RUN
    schema_tags = ["actions"]

    @extend_schema(request=None, responses={202: InvocationDetail}, summary="Undo a completed call")
    def post(self, request: Request, uid: str) -> Response:
        """Another call, at most one; when it is completed, the first is `undone`."""
        row = invocations.find(uid)
        ensure_may_touch(request, row)
        made = invocations.undo(row, owner=request.user.get_username(), caller="api")
        return Response(InvocationDetail(made).data, status=202)


class Approvals(Collection):
    """Questions, newest first."""

    scope = SEE
    schema_tags = ["approvals"]
    serializer_class = ApprovalOut
    filterset_class = ApprovalFilter

    def get_queryset(self) -> QuerySet[Approval]:
        return Approval.objects.order_by("-id")


class OneApproval(View):
    """One question."""

    scope = SEE
    schema_tags = ["approvals"]

    @extend_schema(responses=ApprovalOut, summary="Read a question and its answer")
    def get(self, request: Request, uid: str) -> Response:
        """What waits, what is asked, who may answer, and what was answered."""
        return Response(ApprovalOut(approvals.find(uid)).data)


class Approve(View):
    """Say yes."""

    scope = SEE
    schema_tags = ["approvals"]
    is_approved = True

    @extend_schema(request=NoteIn, responses=ApprovalOut, summary="Approve what waits")
    def post(self, request: Request, uid: str) -> Response:
        """Needs the permission in `scope`; 409 when it was answered already, or is past its time."""
        note = read(NoteIn, request).validated_data["note"]
        found = approvals.decide(approvals.find(uid), user=request, is_approved=self.is_approved, note=note)
        return Response(ApprovalOut(found).data)


class Reject(Approve):
    """Say no."""

    is_approved = False

    @extend_schema(request=NoteIn, responses=ApprovalOut, summary="Reject what waits")
    def post(self, request: Request, uid: str) -> Response:
        """As approving; what waits is refused, with the note as its reason."""
        return super().post(request, uid)


def described(key: str, action: Action) -> dict[str, Any]:
    """An action as the catalogue shows it."""
    shown = {name: getattr(action, name) for name in ("title", "about", "permission", "effect", "runs", "can_undo", "timeout_seconds")}
    return {"key": key, **shown, "scopes": list(invocations.scopes_of(action)), "parameters": forms.schema(action.Parameters)}


def ensure_may_touch(who: Any, row: Invocation) -> None:
    """Raises Forbidden: who may not run a critical action may neither stop nor undo it."""
    action = actions.all().get(row.action)
    if action is None:
        permissions.ensure(who, permissions.ALL)
    else:
        invocations.ensure_asked_by(who, action)
