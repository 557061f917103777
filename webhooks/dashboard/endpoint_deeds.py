"""What a person may do to an endpoint: one service call each, and a sentence with what happened."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from config.kernel.desk import options
from config.kernel.flow.errors import InvalidInput
from config.look import pages
from webhooks.dashboard import MANAGE
from webhooks.dashboard.endpoints import show_secret
from webhooks.forms.fields import SecretForm
from webhooks.models import Endpoint
from webhooks.services import endpoints


@pages.deed(MANAGE)
def test(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/test`: on to the delivery of the test event."""
    endpoint = _one(uid)
    delivery = endpoints.send_test(endpoint)
    when = "is on its way to" if endpoint.is_active else "waits until you resume"
    told = f"A test event {when} {uid}, as {delivery.uid}. Nobody else hears of it."
    return pages.done(request, told, to=reverse("webhooks:delivery", args=[delivery.uid]))


@pages.deed(MANAGE)
def pause(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/pause`"""
    if endpoints.pause(_one(uid), reason=request.POST.get("reason", "").strip() or "By hand."):
        return pages.done(request, f"The endpoint {uid} is paused. Its deliveries wait until you resume it.")
    return pages.nothing(request, f"The endpoint {uid} was not active, so there is nothing to pause.")


@pages.deed(MANAGE)
def resume(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/resume`"""
    if endpoints.resume(_one(uid)):
        return pages.done(request, f"The endpoint {uid} is active again. What waited is sent now.")
    return pages.nothing(request, f"The endpoint {uid} was not paused.")


@pages.deed(
    MANAGE,
    question="Disable the endpoint {uid}?",
    detail="What is open waits; events that come are noted as skipped. Enabling it sends both.",
    yes="Disable",
)
def disable(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/disable`"""
    if endpoints.disable(_one(uid), reason=request.POST.get("reason", "").strip() or "By hand."):
        return pages.done(request, f"The endpoint {uid} is disabled. It gets nothing until you enable it.", to=_page(uid))
    return pages.nothing(request, f"The endpoint {uid} was disabled already.", to=_page(uid))


@pages.deed(MANAGE)
def enable(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/enable`: with `catch_up=no`, what waited is given up instead of sent."""
    has_catch_up = request.POST.get("catch_up") != "no"
    if not endpoints.enable(_one(uid), catch_up=has_catch_up):
        return pages.nothing(request, f"The endpoint {uid} was not disabled.")
    rest = "What it missed is sent now, oldest first." if has_catch_up else "What it missed is given up."
    return pages.done(request, f"The endpoint {uid} is active again. {rest}")


@pages.form(MANAGE)
def rotate(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/rotate`: the answer to the POST shows the new secret, this once."""
    endpoint = _one(uid)
    form = SecretForm(request.POST or None, initial={"overlap_hours": options.get("WEBHOOK_ROTATION_HOURS")})
    if request.method == "POST" and form.is_valid():
        try:
            return show_secret(request, endpoint, endpoints.rotate_secret(endpoint, **form.cleaned_data), deed="rotated")
        except InvalidInput as error:
            form.add_error("secret", error.message)
    shown = {
        "form": form,
        "name": endpoint.title,
        "uid": uid,
        "page": _page(uid),
        "list": reverse("webhooks:endpoints"),
        "is_outgoing": True,
    }
    return pages.draw(request, "webhooks/rotate.html", shown)


@pages.deed(
    MANAGE,
    question="Delete the endpoint {uid}?",
    detail="Its open deliveries and replays are cancelled and its secrets erased. Its history stays until its retention ends.",
    yes="Delete",
)
def delete(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/delete`"""
    endpoints.delete(_one(uid))
    return pages.done(request, f"The endpoint {uid} is deleted. Nothing is sent to it any more.", to=reverse("webhooks:endpoints"))


def _one(uid: str) -> Endpoint:
    found: Endpoint = pages.one(Endpoint.living.all(), uid, what="endpoint")
    return found


def _page(uid: str) -> str:
    return reverse("webhooks:endpoint", args=[uid])
