"""`manage.py sources …`: who may send to us."""

from collections.abc import Mapping
from typing import Any

from config.kernel.management.deeds import Deed, DeedCommand, json_object, number
from webhooks.enums import Preset
from webhooks.models import Source
from webhooks.services import sources


def row(source: Source) -> dict[str, Any]:
    """A source as this command shows it."""
    return {"slug": source.slug, "preset": source.preset, "status": source.status, "url": sources.setup_help(source).url}


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new source, with its secret."""
    made = sources.create(slug=given["slug"], preset=given["preset"], secret=given["secret"], config=given["config"])
    return {**row(made.source), "secret": made.secret}


def setup(given: Mapping[str, Any]) -> dict[str, Any]:
    """How the sender is set up."""
    found = sources.setup_help(sources.find(given["slug"]))
    return {"url": found.url, "steps": list(found.steps)}


def rotate(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new secret; the old one is accepted for a while."""
    secret = sources.rotate_secret(sources.find(given["slug"]), secret=given["secret"], overlap_hours=given["overlap_hours"])
    return {"slug": given["slug"], "secret": secret}


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, changed."""
    names = ("name", "config", "rate_per_second", "rate_burst", "max_body_bytes", "github_hook")
    return row(sources.update(sources.find(given["slug"]), **{name: given[name] for name in names if given[name] is not None}))


def step(deed: Any) -> Any:
    """A deed that moves a source to another state."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        source = sources.find(given["slug"])
        return {**row(source), "changed": bool(deed(source)), "status": source.status}

    return do


SLUG = {"slug": {"help": "The last part of its address."}}
OVERLAP = {"--overlap-hours": {"type": number(0, 720, kind=float), "help": "How long the old one is accepted."}}
LIMITS: dict[str, dict[str, Any]] = {
    "--name": {"help": "For people."},
    "--config": {"type": json_object, "help": "What the preset leaves open, a JSON object."},
    "--rate-per-second": {"type": number(0.001, 100_000, kind=float), "help": "Requests a second; more hear 429."},
    "--rate-burst": {"type": number(1, 100_000), "help": "Requests at once."},
    "--max-body-bytes": {"type": number(1, 268_435_456), "help": "The largest body."},
    "--github-hook": {"help": "repos/OWNER/NAME/hooks/ID or orgs/NAME/hooks/ID, where missed deliveries are looked for."},
}
SECRET = {"--secret": {"default": "", "help": "A secret of your own; made when left out."}}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "Add, show, change, pause, resume, rotate and delete sources, and say how a sender is set up."
    deeds = {
        "list": Deed("All living sources.", lambda given: [row(one) for one in Source.living.order_by("slug")]),
        "create": Deed(
            "Add a source; prints its secret, this once.",
            create,
            {
                **SLUG,
                "--preset": {"default": Preset.HMAC, "choices": Preset.values, "help": "How it proves who it is."},
                "--config": {"type": json_object, "default": "{}", "help": "What the preset leaves open, a JSON object."},
                **SECRET,
            },
        ),
        "change": Deed("Change a source; what is left out stays.", change, {**SLUG, **LIMITS}),
        "setup": Deed("How the sender is set up.", setup, SLUG),
        "pause": Deed("Stop listening; the sender hears 503 and comes again.", step(sources.pause), SLUG),
        "resume": Deed("Listen again.", step(sources.resume), SLUG),
        "rotate_secret": Deed("Make a new secret; the old one is accepted for a while.", rotate, {**SLUG, **SECRET, **OVERLAP}),
        "delete": Deed("Delete it; its address answers 404 from then on.", step(sources.delete), SLUG),
    }
