"""Who may do what: permission strings, the three groups, and the check that every door asks.
Called by the API (HasScope), the admin base, the dashboard and the services that guard an action."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.auth.models import Permission as AuthPermission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from rest_framework.permissions import BasePermission

from config.kernel.flow.errors import Forbidden, Unauthenticated
from config.kernel.models import ApiToken, Permission

ALL = "system:admin"  # implies every other

# The first ten are quoted from the requirements and are never renamed.
SCOPES: Mapping[str, str] = {
    "workflows:create": "Create and change workflows",
    "workflows:execute": "Run workflows",
    "workflows:delete": "Delete workflows",
    "workflows:view": "See workflows and their runs",
    "actions:execute_critical": "Run critical actions",
    "actions:execute_standard": "Run standard actions",
    "alerts:acknowledge": "Acknowledge alerts",
    "alerts:view": "See alerts",
    "metrics:view": "See metrics",
    ALL: "Everything",
    "rules:manage": "Create, change and delete rules",
    "webhooks:view": "See events, endpoints, deliveries, sources and receipts",
    "webhooks:manage": "Create, change and delete endpoints and sources; redeliver and replay",
    "healing:view": "See checks, incidents, diagnoses and fixes",
    "healing:execute": "Run checks and fixes, roll back",
    "audit:view": "See the audit trail",
    "events:publish": "Publish events",
    "pipelines:report": "Report the progress of pipelines",
}
VIEWER = frozenset({"workflows:view", "metrics:view", "alerts:view", "webhooks:view", "healing:view"})
_MORE = ("workflows:execute", "actions:execute_standard", "alerts:acknowledge", "events:publish", "pipelines:report", "healing:execute")
OPERATOR = VIEWER.union(_MORE)
GROUPS: Mapping[str, frozenset[str]] = {
    "automation_viewer": VIEWER,
    "automation_operator": OPERATOR,
    "automation_admin": frozenset(SCOPES),
}


def may(who: Any, scope: str) -> bool:
    """Whether a user, or the user and token of a request, holds `scope`. A token never holds more than its owner."""
    user, token = _user_and_token(who)
    if not user.is_active or not _user_holds(user, scope):
        return False
    return token is None or token.scopes is None or scope in token.scopes or ALL in token.scopes


def ensure(who: Any, scope: str) -> None:
    """Raises Unauthenticated for nobody, Forbidden with the name of the missing permission for somebody."""
    user, token = _user_and_token(who)
    if not user.is_authenticated:
        raise Unauthenticated("Nobody is logged in. Log in, or send a token as `Authorization: Bearer <token>`.")
    if not may(who, scope):
        whose = f"the token {token.name!r}" if token is not None and may(user, scope) else f"the user {user.get_username()!r}"
        raise Forbidden(f"This needs the permission {scope!r}, which {whose} does not have. Ask an administrator for it.")


def held(user: User | AnonymousUser) -> frozenset[str]:
    """Every string that `user` holds."""
    return frozenset(scope for scope in SCOPES if user.is_active and _user_holds(user, scope))


def required(view: Any, method: str) -> str | None:
    """The string that `method` of `view` asks for, or None when the view does not say."""
    scopes = getattr(view, "scopes", None)
    if scopes is not None:
        return scopes.get("GET" if method in {"HEAD", "OPTIONS"} else method)  # type: ignore[no-any-return]
    return getattr(view, "scope", None)


class HasScope(BasePermission):
    """Asks for `view.scopes[method]` or `view.scope`. A view that says neither is refused: never open by accident."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        if request.method not in view.allowed_methods:
            return True  # the view answers 405
        scope = required(view, request.method)
        if scope is None:
            raise Forbidden(f"{request.method} is not open here: the page declares no permission for it. Tell an administrator.")
        ensure(request, scope)
        return True


@transaction.atomic
def set_up_roles(*, restore: bool = False) -> int:
    """Make the permission rows and the three groups; how many grants were added.

    A group that is there keeps what people took from it, and gets only strings that are new; `restore` gives it back
    all that it is shipped with. Nothing is ever taken away. Called after migrating and by the command `setup_roles`.
    """
    content_type = ContentType.objects.get_for_model(Permission)
    rows, fresh = _permission_rows(content_type)
    added = 0
    for name, scopes in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        wanted = scopes if is_new or restore else scopes & fresh
        missing = wanted - set(group.permissions.filter(content_type=content_type).values_list("codename", flat=True))
        group.permissions.add(*[rows[scope] for scope in missing])
        added += len(missing)
    return added


def _permission_rows(content_type: ContentType) -> tuple[dict[str, AuthPermission], set[str]]:
    rows, fresh = {}, set()
    for scope, label in SCOPES.items():
        rows[scope], is_new = AuthPermission.objects.get_or_create(codename=scope, content_type=content_type, defaults={"name": label})
        if is_new:
            fresh.add(scope)
    return rows, fresh


def _user_and_token(who: Any) -> tuple[Any, ApiToken | None]:
    if not hasattr(who, "user"):
        return who, None
    token = getattr(who, "auth", None)
    return who.user, token if isinstance(token, ApiToken) else None


def _user_holds(user: Any, scope: str) -> bool:
    return bool(user.has_perm(f"kernel.{scope}") or user.has_perm(f"kernel.{ALL}"))
