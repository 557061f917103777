"""Making and changing rules on the dashboard."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from automation.dashboard.rules import MANAGE, SEE, one
from automation.forms import examples
from automation.forms.rules import RuleForm
from automation.services import rules
from automation.services.judging import drafts
from config.acts.plugins.triggers import triggers
from config.kernel.flow.errors import Conflict, Forbidden, InvalidInput, LimitReached
from config.look import pages


@pages.form(MANAGE)
def add(request: HttpRequest) -> HttpResponse:
    """`/rules/new`; `?example=` fills it in, `?trigger=` chooses what wakes it."""
    form = RuleForm(request.POST or None, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        made = _saved(form, lambda fields: rules.create(owner=_user(request), **fields))
        if made is not None:
            return pages.done(request, f"The rule {made.name!r} is there; it is {made.mode}.", to=_page(made.uid))
    return pages.draw(request, "automation/rule_form.html", {"form": form, "examples": examples.EXAMPLES})


@pages.form(MANAGE)
def edit(request: HttpRequest, uid: str) -> HttpResponse:
    """`/rules/<uid>/edit`"""
    rule = one(uid)
    form = RuleForm(request.POST or None, rule=rule)
    if request.method == "POST" and form.is_valid():
        saved = _saved(form, lambda fields: rules.update(rule, editor=_user(request), **fields))
        if saved is not None:
            if saved.revision == rule.revision:
                return pages.nothing(request, f"Nothing was changed of the rule {saved.name!r}.", to=_page(uid))
            return pages.done(request, f"The rule {saved.name!r} is saved.", to=_page(uid))
    return pages.draw(request, "automation/rule_form.html", {"form": form, "rule": rule})


@pages.page(SEE)
def condition(request: HttpRequest) -> HttpResponse:
    """`/rules/condition?text=`: what a condition comes to while it is typed."""
    checked = drafts.check_condition(request.GET.get("text", "")[:4000])
    return render(request, "automation/_condition.html", {"problem": checked.problem, "weighed": checked})


def _initial(request: HttpRequest) -> dict[str, Any]:
    example = examples.find(request.GET.get("example", ""))
    if example is not None:
        return dict(example.fields)
    trigger = request.GET.get("trigger", "")
    return {"trigger": trigger} if trigger in triggers.all() else {}


def _saved(form: RuleForm, deed: Any) -> Any:
    """What the deed made; None when it was refused, which the form then shows."""
    try:
        return deed(form.cleaned_data)
    except InvalidInput as error:
        form.blame(error)
    except Conflict as error:
        form.add_error("name", error.message)
    except (Forbidden, LimitReached) as error:
        form.add_error(None, error.message)
    return None


def _user(request: HttpRequest) -> Any:
    return request.user


def _page(uid: str) -> str:
    return reverse("automation:rule", args=[uid])
