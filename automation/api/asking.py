"""What the views of automation share: reading what was sent, who asks, and whether they may have actions run."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from automation.enums import action_key
from automation.models import Rule
from automation.services import rules
from config.acts.plugins.actions import actions
from config.acts.running import invocations
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput


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
            invocations.ensure_asked_by(request, action)


def ensure_may_change(request: Request, rule: Rule, fields: Mapping[str, Any]) -> None:
    """Raises Forbidden unless the caller, and the token, may run what the rule would do then; switching it off needs no more."""
    if not rules.is_switched_off(fields, fields.get("mode")):
        ensure_may(request, fields.get("actions") or rule.steps)


def moment(given: Mapping[str, Any], name: str) -> datetime | None:
    """A time that was sent, in UTC."""
    try:
        return clock.in_utc(given[name]) if name in given else None
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}", fields={name: [str(error)]}) from None
