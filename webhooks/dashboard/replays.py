"""The pages of replays: asking for one with a count beforehand, and its progress."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.enums import ReplayStatus
from webhooks.forms.replays import ReplayForm
from webhooks.models import Endpoint, Replay
from webhooks.services import replay as replays


@pages.form(MANAGE)
def ask(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/replay`: the button `count` says how many it would be, the button `start` begins."""
    endpoint: Endpoint = pages.one(Endpoint.living.all(), uid, what="endpoint")
    form, count = ReplayForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            if "start" in request.POST:
                return _start(request, endpoint, form)
            count = replays.preview(endpoint, **form.window())
        except InvalidInput as error:
            form.blame(error)
    shown = {"form": form, "endpoint": endpoint, "count": count, "lasts": _lasting(form, count)}
    return pages.draw(request, "webhooks/replay_form.html", shown)


def _start(request: HttpRequest, endpoint: Endpoint, form: ReplayForm) -> HttpResponse:
    pace = form.cleaned_data["per_minute"]
    started = replays.start(endpoint, per_minute=pace, requested_by=request.user.get_username(), **form.window())
    told = f"The replay {started.uid} has begun: {started.total:,} events for {endpoint.uid}, {pace:,} a minute at most."
    return pages.done(request, told, to=reverse("webhooks:replay", args=[started.uid]))


def _lasting(form: ReplayForm, count: int | None) -> float | None:
    """How many seconds so many take at the pace that was asked for."""
    return count * 60 / form.cleaned_data["per_minute"] if count else None


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/replays/<uid>`"""
    replay: Replay = pages.one(Replay.objects.select_related("endpoint"), uid, what="replay")
    shown = {"replay": replay, "ends_at": _ends_at(replay, clock.now()), "may_manage": permissions.may(request.user, MANAGE)}
    return pages.draw(request, "webhooks/replay.html", shown)


def _ends_at(replay: Replay, now: datetime) -> datetime | None:
    """At its pace; None unless it runs."""
    if replay.status != ReplayStatus.RUNNING:
        return None
    return now + timedelta(seconds=max(replay.total - replay.done, 0) * 60 / replay.per_minute)


@pages.deed(MANAGE)
def pause(request: HttpRequest, uid: str) -> HttpResponse:
    """`/replays/<uid>/pause`"""
    return _step(request, uid, replays.pause, "is paused. Resume it and it goes on where it stopped")


@pages.deed(MANAGE)
def resume(request: HttpRequest, uid: str) -> HttpResponse:
    """`/replays/<uid>/resume`"""
    return _step(request, uid, replays.resume, "goes on where it stopped")


@pages.deed(MANAGE, question="Cancel the replay {uid}?", detail="What it has sent so far stays sent.", yes="Cancel the replay")
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """`/replays/<uid>/cancel`"""
    return _step(request, uid, replays.cancel, "is cancelled. What it has sent stays sent")


def _step(request: HttpRequest, uid: str, deed: Callable[[Replay], bool], told: str) -> HttpResponse:
    replay: Replay = pages.one(Replay, uid, what="replay")
    page = reverse("webhooks:replay", args=[uid])
    if deed(replay):
        return pages.done(request, f"The replay {uid} {told}.", to=page)
    return pages.nothing(request, f"The replay {uid} is {replay.status}, so this cannot be done now.", to=page)
