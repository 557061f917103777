"""`manage.py approvals …`: what waits for a person's yes or no, and answering."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import User

from config.acts.models import Approval
from config.acts.running import approvals
from config.kernel.flow import context
from config.kernel.flow.errors import NotFound
from config.kernel.management.deeds import Deed, DeedCommand


def row(found: Approval) -> dict[str, Any]:
    """A question as this command shows it."""
    shown = {"id": found.uid, "question": found.question, "waits": found.subject, "needs": found.scope, "status": found.status}
    return {**shown, "asked_by": found.asked_by, "expires_at": found.expires_at, "decided_by": found.decided_by, "note": found.note}


def listed(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Open questions, or the newest of all."""
    return [row(one) for one in (Approval.objects.all()[:50] if given["all"] else approvals.waiting())]


def answer(is_approved: bool) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The deed that says yes, or no."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        user = User.objects.filter(username=given["user"]).first()
        if user is None:
            raise NotFound(f"There is no user {given['user']!r}.")
        with context.using(actor=user.username):
            return row(approvals.decide(approvals.find(given["id"]), user=user, is_approved=is_approved, note=given["note"]))

    return do


WORDS: dict[str, dict[str, Any]] = {
    "id": {"help": "The question's id, `apr_…`."},
    "--user": {"required": True, "metavar": "NAME", "help": "Who answers; needs the permission that the question names."},
    "--note": {"default": "", "help": "Why."},
}


class Command(DeedCommand):
    """An answer is given once."""

    help = "List what waits for a yes, approve and reject."
    deeds = {
        "list": Deed("What waits for an answer.", listed, {"--all": {"action": "store_true", "help": "Answered ones too, newest first."}}),
        "approve": Deed("Say yes.", answer(True), WORDS),
        "reject": Deed("Say no.", answer(False), WORDS),
    }
