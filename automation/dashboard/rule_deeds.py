"""What is done to a rule on the dashboard, and the master switch. Each is one call of a service."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from automation.dashboard.rules import MANAGE, RUN, one
from automation.enums import Mode
from automation.services import control, executions, rules
from config.kernel.flow.errors import InvalidInput
from config.look import pages

SAID = {Mode.OFF: "off", Mode.SHADOW: "in shadow: it records what it would do", Mode.ON: "on: it acts"}


@pages.deed(MANAGE)
def mode(request: HttpRequest, uid: str) -> HttpResponse:
    """`/rules/<uid>/mode`"""
    rule, asked = one(uid), request.POST.get("mode", "")
    if asked not in Mode.values:
        raise InvalidInput(f"There is no mode {asked!r}. There are: {', '.join(Mode.values)}.")
    if rule.mode == asked:
        return pages.nothing(request, f"The rule {rule.name!r} was {asked} already.")
    rules.set_mode(rule, asked, editor=_user(request))
    return pages.done(request, f"The rule {rule.name!r} is {SAID[Mode(asked)]}.")


@pages.deed(
    RUN,
    question=lambda uid: f"Run the rule {one(uid).name!r} now?",
    detail="Its actions are really done, with your rights.",
    yes="Run now",
)
def run(request: HttpRequest, uid: str) -> HttpResponse:
    """`/rules/<uid>/run`"""
    execution = executions.run_now(one(uid), user=request.user.get_username())
    return pages.done(request, "It is started.", to=reverse("automation:execution", args=[execution.uid]))


@pages.deed(
    MANAGE,
    question=lambda uid: f"Delete the rule {one(uid).name!r}?",
    detail="It never fires again, and what waits to be run is cancelled. Its executions stay until their retention ends.",
    yes="Delete",
)
def delete(request: HttpRequest, uid: str) -> HttpResponse:
    """`/rules/<uid>/delete`"""
    rule = one(uid)
    rules.delete(rule)
    return pages.done(request, f"The rule {rule.name!r} is deleted.", to=reverse("automation:rules"))


@pages.deed(MANAGE, question="Start automation?", detail="Rules that are on act by themselves again.", yes="Start")
def start(request: HttpRequest) -> HttpResponse:
    """`/automation/start`"""
    if control.start(_user(request)):
        return pages.done(request, "Automation is started: rules act again.")
    return pages.nothing(request, "Automation was running already.")


@pages.deed(
    MANAGE,
    question="Stop automation?",
    detail="No rule starts anything by itself until it is started again. What runs now ends; what a person starts still runs.",
    yes="Stop",
)
def stop(request: HttpRequest) -> HttpResponse:
    """`/automation/stop`"""
    if control.stop(_user(request)):
        return pages.done(request, "Automation is stopped: nothing starts by itself.")
    return pages.nothing(request, "Automation was stopped already.")


def _user(request: HttpRequest) -> Any:
    return request.user
