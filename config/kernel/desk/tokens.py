"""API tokens: made, checked and revoked. Called by the API at each request, by the admin and by `create_token`."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from config.kernel.desk import permissions
from config.kernel.flow import clock, context
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import ApiToken
from config.kernel.watch import audit

PREFIX = "stw_"
USE_NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def create(user: User, *, name: str = "", scopes: Sequence[str] | None = None, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is kept nowhere. Without `scopes` it may do all that its owner may, at each call.

    Raises InvalidInput for an unknown scope, one that the owner does not hold, or an expiry in the past.
    """
    chosen = None if scopes is None else _checked(user, scopes)
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidInput("The token would have expired already. Choose a later time.", fields={"expires_at": ["It is in the past."]})
    plain = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        name=name or "unnamed", owner=user, digest=digest(plain), hint=plain[-4:], scopes=chosen, expires_at=expires_at
    )
    audit.record("token.created", token, owner=user.get_username(), name=token.name, scopes=chosen)
    return token, plain


@transaction.atomic
def revoke(token: ApiToken) -> bool:
    """The token opens nothing from now on. False if it was revoked already."""
    now = clock.now()
    if not ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now):
        return False
    token.revoked_at = now
    audit.record("token.revoked", token, owner=token.owner.get_username(), name=token.name)
    return True


def digest(plain: str) -> str:
    """What is stored of a token: SHA-256. A slow hash is for passwords; 256 random bits cannot be guessed."""
    return hashlib.sha256(plain.encode()).hexdigest()


def find(plain: str) -> ApiToken:
    """The valid token of an active owner. Raises AuthenticationFailed with a sentence."""
    token = ApiToken.objects.select_related("owner").filter(digest=digest(plain)).first()
    if token is None:
        raise AuthenticationFailed("The token is not known. Make one with `manage.py create_token USERNAME`.")
    if token.revoked_at is not None:
        raise AuthenticationFailed("The token was revoked. Use another one.")
    if token.expires_at is not None and token.expires_at <= clock.now():
        raise AuthenticationFailed("The token has expired. Make a new one.")
    if not token.owner.is_active:
        raise AuthenticationFailed("The token's owner is deactivated.")
    return token


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. First of all schemes, so that a missing credential is answered with 401."""

    keyword = "Bearer"

    def authenticate(self, request: Any) -> tuple[User, ApiToken] | None:
        scheme, _, plain = get_authorization_header(request).decode("latin-1").strip().partition(" ")
        if scheme.lower() != self.keyword.lower():
            return None
        token = find(plain.strip())
        _note_use(token)
        context.amend(actor=token.owner.get_username())
        return token.owner, token

    def authenticate_header(self, request: Any) -> str:
        return self.keyword


def _checked(user: User, scopes: Sequence[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(permissions.SCOPES))
    if unknown or not scopes:
        problem = f"There is no permission {', '.join(unknown)}." if unknown else "The list of permissions is empty."
        raise InvalidInput(f"{problem} There are: {', '.join(sorted(permissions.SCOPES))}.", fields={"scopes": [problem]})
    lacking = sorted(set(scopes) - permissions.held(user))
    if lacking:
        problem = f"The user {user.get_username()!r} does not have {', '.join(lacking)}"
        raise InvalidInput(f"{problem}; a token cannot have more than its owner.", fields={"scopes": [f"{problem}."]})
    return sorted(set(scopes))


def _note_use(token: ApiToken) -> None:
    """At most one write a minute, whoever comes first."""
    now = clock.now()
    earlier = now - USE_NOTED_EVERY
    if token.last_used_at is None or token.last_used_at <= earlier:
        due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=earlier)
        ApiToken.objects.filter(due, pk=token.pk).update(last_used_at=now)
