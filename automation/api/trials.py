"""`…/rules/{id}/try`, `/backtest`, and the same for drafts: what a rule would do, without doing it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import caller, moment
from automation.api.rules import MANAGE, SEE, TAGS, plain
from automation.api.serializers.rules import BackTestDraftIn, BackTestIn, BackTestOut, TriedOut, TryDraftIn, TryIn
from automation.models import Rule
from automation.services import rules
from automation.services.judging import trials
from config.doors.api import View
from config.doors.bodies import read
from config.kernel.flow.errors import NotFound
from config.kernel.models import Event

BUDGET_SECONDS = 20


class TryRule(View):
    """Try a rule."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(request=TryIn, responses=TriedOut, summary="Try a rule on an event or on values")
    def post(self, request: Request, rule_id: str) -> Response:
        """Nothing is run or stored. Its discipline (cooldown and the like) is left aside."""
        return tried(rules.find(rule_id), read(TryIn, request).validated_data)


class TryDraft(View):
    """Try a rule that is not stored."""

    scope = MANAGE
    schema_tags = TAGS
    schema_errors = ("404",)

    @extend_schema(
        operation_id="automation_rules_try_draft",
        request=TryDraftIn,
        responses=TriedOut,
        summary="Try a draft of a rule on an event or on values",
    )
    def post(self, request: Request) -> Response:
        """The draft is checked as if it were saved, and not saved."""
        sent = read(TryDraftIn, request).validated_data
        return tried(rules.dry(owner=caller(request), **plain(sent["rule"])), sent)


class BackTestRule(View):
    """Back-test a rule."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(request=BackTestIn, responses=BackTestOut, summary="Say when a rule would have fired")
    def post(self, request: Request, rule_id: str) -> Response:
        """By what is recorded, at most 31 days. After 20 s it answers how far it came (`covered_until`); go on from there, or use the
        command `rules backtest`, which takes its time."""
        return tested(rules.find(rule_id), read(BackTestIn, request).validated_data)


class BackTestDraft(View):
    """Back-test a rule that is not stored."""

    scope = MANAGE
    schema_tags = TAGS

    @extend_schema(
        operation_id="automation_rules_backtest_draft",
        request=BackTestDraftIn,
        responses=BackTestOut,
        summary="Say when a draft of a rule would have fired",
    )
    def post(self, request: Request) -> Response:
        """The draft is checked as if it were saved, and not saved."""
        sent = read(BackTestDraftIn, request).validated_data
        return tested(rules.dry(owner=caller(request), **plain(sent["rule"])), sent)


def tried(rule: Rule, sent: Any) -> Response:
    """On the event, on the values, or on what was measured last."""
    if "event" not in sent:
        return Response(TriedOut(trials.try_now(rule, values=sent.get("values"))).data)
    event = Event.objects.filter(uid=sent["event"]).first()
    if event is None:
        raise NotFound(f"There is no event {sent['event']!r}. GET /api/v1/events lists them.")
    return Response(TriedOut(trials.try_event(rule, event)).data)


def tested(rule: Rule, sent: Any) -> Response:
    """Within the time that a request may take."""
    since, until = moment(sent, "since"), moment(sent, "until")
    return Response(BackTestOut(trials.back_test(rule, since=since, until=until, budget_seconds=BUDGET_SECONDS)).data)
