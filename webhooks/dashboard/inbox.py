"""The inbox: a receiver of our own in the embedded set-up, to see what a delivery looks like and whether its signatures hold."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from config.kernel.desk import permissions
from config.kernel.flow import context
from config.kernel.flow.errors import NotFound
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.models import Endpoint
from webhooks.services.inbox import box
from webhooks.services.welcome import INBOX

MOST_BYTES = 4 * 1024 * 1024
SHOWN = 50


@csrf_exempt
def receive(request: HttpRequest) -> HttpResponse:
    """`POST /inbox/receive`: what any receiver does, and nothing more. There is none but in the embedded set-up."""
    if not settings.EMBEDDED:
        raise Http404
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        return JsonResponse({"status": "too large"}, status=413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    arrived = box.take(headers, request.body, address=context.current().ip)
    return JsonResponse({"status": "received", "id": arrived.uid})


@pages.page(SEE)
def page(request: HttpRequest) -> HttpResponse:
    """`/inbox`"""
    if not settings.EMBEDDED:
        raise NotFound("The inbox is there only in the embedded set-up, which `manage.py up` starts.")
    shown = {
        "requests": box.latest(SHOWN),
        "kept": box.KEPT,
        "endpoint": Endpoint.living.filter(uid=INBOX).first(),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/inbox.html", shown)


@pages.deed(MANAGE, question="Empty the inbox?", detail="Only what the inbox shows is removed; events and deliveries stay.", yes="Empty it")
def empty(request: HttpRequest) -> HttpResponse:
    """`/inbox/empty`"""
    if not settings.EMBEDDED:
        raise NotFound("The inbox is there only in the embedded set-up, which `manage.py up` starts.")
    count = box.empty()
    return pages.done(request, f"{count} request{'' if count == 1 else 's'} removed from the inbox.", to="/inbox")
