"""`manage.py endpoints …`: who hears from us."""

from collections.abc import Mapping
from typing import Any

from config.kernel.flow.errors import NotFound
from config.kernel.management.deeds import Deed, DeedCommand, json_object, number
from config.kernel.models import Event
from webhooks.enums import Security, Strategy
from webhooks.models import Endpoint
from webhooks.services import endpoints, fanout, stats

ID = {"id": {"help": "The endpoint's id."}}
REASON = {"--reason": {"default": "", "help": "Why; shown on its page."}}
SETTINGS: dict[str, dict[str, Any]] = {
    "--description": {"help": "What it is for."},
    "--timeout": {"type": int, "dest": "timeout_seconds", "help": "Seconds for one request."},
    "--max-attempts": {"type": int, "help": "Attempts in all, the first included."},
    "--retry-delay": {"type": int, "dest": "retry_base_seconds", "help": "Base delay between attempts, in seconds."},
    "--rate-per-minute": {"type": int, "help": "Requests per minute; more are delayed."},
    "--filter": {"type": json_object, "dest": "filter_conditions", "metavar": "JSON", "help": "Conditions on the data; all must hold."},
    "--security": {"choices": Security.values, "help": "How deliveries prove that they come from us."},
    "--retry-strategy": {"choices": Strategy.values, "help": "How the delay grows from one attempt to the next."},
    "--retry-schedule": {
        "action": "append",
        "type": number(0, 604_800),
        "metavar": "SECONDS",
        "help": "For the strategy `schedule`: the wait before each attempt; may be repeated.",
    },
    "--event": {
        "action": "append",
        "dest": "events",
        "metavar": "NAME",
        "help": "An event to subscribe to: a name, prefix.* or *; may be repeated.",
    },
}


def row(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as this command shows it."""
    return {
        "id": endpoint.uid,
        "status": endpoint.status,
        "circuit": endpoints.circuit_state(endpoint),
        "url": endpoint.url,
        "events": endpoint.events,
        "last_delivered_at": endpoint.last_delivered_at,
    }


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One endpoint with its counters."""
    endpoint = endpoints.find(given["id"])
    return {**row(endpoint), "reason": endpoint.status_reason, **stats.of_endpoint(endpoint)}


def register(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new endpoint, with its secret."""
    chosen = {"events": ["*"], **_chosen(given)}
    made = endpoints.register(uid=given["id"], secret=given["secret"], **chosen)
    return {**row(made.endpoint), "secret": made.secret}


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, changed."""
    return row(endpoints.update(endpoints.find(given["id"]), **_chosen(given)))


def _chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("url", "events", *endpoints.defaults())
    return {name: given[name] for name in names if given.get(name) is not None}


def explain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether an event would reach it, and why."""
    event = Event.objects.filter(uid=given["event"]).first()
    if event is None:
        raise NotFound(f"There is no event {given['event']!r}; events are removed when their retention ends.")
    found = fanout.explain(event, endpoints.find(given["id"]))
    return {"would_deliver": found.would_deliver, "reason": found.reason, "detail": found.detail}


def step(deed: Any, *words: str) -> Any:
    """A deed that moves an endpoint to another state; what it says afterwards."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = endpoints.find(given["id"])
        changed = deed(endpoint, **{word: given[word] for word in words})
        return {**row(endpoint), "changed": bool(changed)}

    return do


def rotate(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new secret, shown this once."""
    secret = endpoints.rotate_secret(endpoints.find(given["id"]), secret=given["secret"], overlap_hours=given["overlap_hours"])
    return {"id": given["id"], "secret": secret}


def test(given: Mapping[str, Any]) -> dict[str, Any]:
    """A test event for this endpoint."""
    delivery = endpoints.send_test(endpoints.find(given["id"]))
    return {"delivery": delivery.uid, "event": delivery.event.uid}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "Register, show, change, pause, resume, disable, enable, rotate, test and delete endpoints."
    deeds = {
        "list": Deed("All living endpoints.", lambda given: [row(one) for one in Endpoint.living.order_by("uid")]),
        "show": Deed("One endpoint and its counters.", show, ID),
        "register": Deed(
            "Register an endpoint; prints its secret, this once.",
            register,
            {
                "url": {"help": "Where deliveries go."},
                "--id": {"default": "", "help": "An id of your own."},
                "--secret": {"default": "", "help": "A secret of your own; made when left out."},
                **SETTINGS,
            },
        ),
        "change": Deed(
            "Change an endpoint; what is left out stays.", change, {**ID, "--url": {"help": "Where deliveries go."}, **SETTINGS}
        ),
        "pause": Deed("Hold its deliveries.", step(endpoints.pause, "reason"), {**ID, **REASON}),
        "resume": Deed("Send what was held.", step(endpoints.resume), ID),
        "disable": Deed("Take it out of use.", step(endpoints.disable, "reason"), {**ID, **REASON}),
        "enable": Deed(
            "Put it back to use.",
            step(endpoints.enable, "catch_up"),
            {**ID, "--no-catch-up": {"action": "store_false", "dest": "catch_up", "help": "Do not send what was skipped meanwhile."}},
        ),
        "rotate_secret": Deed(
            "Make a new secret; the old one keeps signing for a while.",
            rotate,
            {
                **ID,
                "--secret": {"default": "", "help": "A secret of your own; made when left out."},
                "--overlap-hours": {"type": number(0, 720, kind=float), "help": "How long the old one keeps signing."},
            },
        ),
        "explain": Deed("Say whether a stored event would reach it, and why.", explain, {**ID, "event": {"help": "The event's id."}}),
        "test": Deed("Send a test event.", test, ID),
        "delete": Deed("Delete it; open deliveries are cancelled.", step(endpoints.delete), ID),
    }
