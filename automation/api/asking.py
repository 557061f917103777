"""What the views of automation share: reading what was sent, who asks, and whether they may have actions run."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from automation.enums import action_key
from config.acts.plugins.actions import actions
from config.acts.running import invocations
from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput


def read(shape: Any, request: Request, **options: Any) -> Any:
    """The serializer of what was sent, checked. Raises a 400 that names each field."""
    serializer = shape(data=request.data, **options)
    serializer.is_valid(raise_exception=True)
    return serializer


def step(summary: str, description: str, takes: Any = None) -> Any:
    """How the API's document names one step."""
    return extend_schema_view(post=extend_schema(request=takes, summary=summary, description=description))


def caller(request: Request) -> User:
    """Who asks; permissions have seen to it that somebody does."""
    assert isinstance(request.user, User)
    return request.user


def ensure_may(request: Request, steps: Iterable[Mapping[str, Any]]) -> None:
    """Raises Forbidden unless the caller, and the token, may run these actions. An unknown one is left to whoever checks the rule."""
    for one in steps:
        action = actions.all().get(action_key(str(one["action"])))
        if action is not None:
            permissions.ensure(request, invocations.scope_of(action))


def moment(given: Mapping[str, Any], name: str, otherwise: datetime) -> datetime:
    """A time that was sent, in UTC."""
    try:
        return clock.in_utc(given[name]) if name in given else otherwise
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}", fields={name: [str(error)]}) from None
