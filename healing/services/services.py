"""What is watched and what may be done to it: services put under watch, changed, let go. Called by the API, the admin, the dashboard
and the command; looking is in `standing`, restarting and scaling in `steering`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from config.acts.plugins.controllers import Controller, controllers
from config.acts.running import forms
from config.kernel.flow import clock, events, jobs
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.watch import audit
from config.kernel.wire import addresses
from healing.engine import dependencies
from healing.enums import HealthKind
from healing.models import Service

DUTY = "healing.look"
MOST_INSTANCES = 10_000
CHANGEABLE = (
    "name",
    "description",
    "controller",
    "params",
    "may_be_restarted",
    "may_be_scaled",
    "min_instances",
    "max_instances",
    "health_kind",
    "health_target",
    "health_expected_status",
    "health_timeout_seconds",
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})")


def find(asked: str) -> Service:
    """The living service of that id or name. Raises NotFound."""
    if (found := Service.living.filter(uid=asked).first() or Service.living.filter(name=asked).first()) is None:
        raise NotFound(f"There is no service {asked[:64]!r}; it may have been deleted. `manage.py services list` names those there are.")
    return found  # type: ignore[no-any-return]


@transaction.atomic
def register(*, name: str, controller: str, dependencies: Sequence[str] = (), **fields: Any) -> Service:
    """A new service. `dependencies` are names or ids. Nothing may be done to it before `may_be_restarted` and `may_be_scaled` are set.

    Raises InvalidInput naming each bad field, and Conflict when a living service has the name.
    """
    service = Service()
    _take(service, {"name": name, "controller": controller, **fields})
    _save(service, force_insert=True)
    _stand_on(service, dependencies)
    tell("service.created", service, controller=controller)
    jobs.nudge(DUTY)
    return service


@transaction.atomic
def update(service: Service, *, dependencies: Sequence[str] | None = None, **fields: Any) -> Service:
    """Change what is named; other parameters mean a fresh look. Raises InvalidInput and Conflict as `register`."""
    before = {name: getattr(service, name) for name in CHANGEABLE}
    _take(service, fields)
    changed = [name for name in CHANGEABLE if getattr(service, name) != before[name]]
    if changed:
        service.next_look_at = clock.now()
        _save(service, update_fields=[*changed, "next_look_at"])
    if dependencies is not None and _stand_on(service, dependencies):
        changed.append("dependencies")
    if changed:
        tell("service.updated", service, changed=sorted(changed))
        jobs.nudge(DUTY)
    return service


@transaction.atomic
def delete(service: Service) -> bool:
    """Watch it no more; it goes on running. False if it was deleted already. Raises Conflict when a living service stands on it."""
    above = list(service.dependents.filter(deleted_at__isnull=True).values_list("name", flat=True))
    if above:
        said = f"{above[0]} stands" if len(above) == 1 else f"{', '.join(above)} stand"
        raise Conflict(f"{said} on {service.name}. Take it out of what they depend on first.", code="in_use")
    now = clock.now()
    if not Service.objects.filter(pk=service.pk, deleted_at__isnull=True).update(deleted_at=now):
        return False
    service.deleted_at = now
    tell("service.deleted", service)
    return True


def controller_of(service: Service) -> Controller:
    """The plug-in that steers it. Raises NotFound when it is not installed here any more."""
    try:
        return controllers.get(service.controller)
    except KeyError as error:
        raise NotFound(f"{service.name} cannot be steered: {error.args[0]}. Choose another controller for it.") from None


def shown_params(service: Service) -> dict[str, Any]:
    """The controller's parameters as people may see them: secrets masked."""
    plugin = controllers.all().get(service.controller)
    return forms.masked(plugin.Parameters if plugin else None, service.params or {})


def tell(action: str, service: Service, **detail: Any) -> None:
    """Write down and announce what was done to it. Within the transaction that does it."""
    audit.record(action, service, **detail)
    events.publish(action, subject=service, data={"service_id": service.uid, "service": service.name, **detail})


def _take(service: Service, fields: Mapping[str, Any]) -> None:
    """Set the fields and check the whole. Raises InvalidInput; the row is not saved."""
    if unknown := sorted(set(fields) - set(CHANGEABLE)):
        raise InvalidInput(f"A service has no {', '.join(unknown)}.", fields={name: ["There is no such setting."] for name in unknown})
    before = service.controller
    for name, value in fields.items():
        if name != "params":
            setattr(service, name, value)
    wrong = _problems(service)
    if "params" in fields or service.controller != before:
        kept = service.params or {} if service.controller == before else {}
        service.params = _clean_params(service, fields.get("params") or {}, kept, wrong)
    if wrong:
        name, sentences = next(iter(wrong.items()))
        raise InvalidInput(f"The service {service.name[:64]} cannot be saved. {name}: {sentences[0]}", fields=wrong)


def _problems(service: Service) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not _NAME.fullmatch(service.name or ""):
        wrong["name"] = ["Use 1 to 64 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit."]
    if len(service.description) > 300:
        wrong["description"] = ["It may have 300 characters."]
    if service.controller not in controllers.all():
        wrong["controller"] = [f"There is no controller {service.controller[:60]!r}; there are: {', '.join(sorted(controllers.all()))}."]
    if not 0 <= service.min_instances <= service.max_instances <= MOST_INSTANCES:
        wrong["max_instances"] = [f"The least must be 0 or more, the most at least the least and at most {MOST_INSTANCES:,}."]
    if not 0.1 <= service.health_timeout_seconds <= 60:
        wrong["health_timeout_seconds"] = ["It must be from 0.1 to 60 seconds."]
    if not 100 <= service.health_expected_status <= 599:
        wrong["health_expected_status"] = ["It must be an HTTP status from 100 to 599."]
    if sentence := _target_problem(service.health_kind, service.health_target):
        wrong["health_target"] = [sentence]
    return wrong


def _target_problem(kind: str, target: str) -> str:
    """What is wrong with where the health check is to look; an address may be refused unless an operator vouched for it."""
    if kind == HealthKind.NONE:
        return ""
    if kind == HealthKind.HTTP:
        refusal = addresses.refusal(target)
    elif kind == HealthKind.TCP:
        found = _HOST_AND_PORT.fullmatch(target)
        if not found or not 0 < int(found[2]) < 65536:
            return "Write host:port, such as db.example.com:5432 or [2001:db8::1]:5432."
        is_trusted = any(addresses.trusted_target(f"{scheme}://{target}") for scheme in ("http", "https"))
        refusal = "" if is_trusted else addresses.refusal(f"https://{target}")
    else:
        return f"There is no check {kind!r}; choose one of {', '.join(HealthKind.values)}."
    return f"{refusal} An operator may vouch for it in STEWARD_TRUSTED_TARGETS." if refusal else ""


def _clean_params(service: Service, given: Mapping[str, Any], kept: Mapping[str, Any], wrong: dict[str, list[str]]) -> dict[str, Any]:
    """What the controller's form makes of them; a masked or empty secret stays as it was. What is wrong is added to `wrong`."""
    if (plugin := controllers.all().get(service.controller)) is None:
        return dict(given)
    try:
        return forms.clean(plugin.Parameters, forms.keeping_secrets(plugin.Parameters, given, kept))
    except InvalidInput as error:
        wrong |= {name if name == "params" else f"params.{name}": sentences for name, sentences in error.fields.items()}
        return dict(given)


def _save(service: Service, **options: Any) -> None:
    try:
        with transaction.atomic():
            service.save(**options)
    except IntegrityError:
        sentence = f"There is a service {service.name!r} already. Choose another name, or change that one."
        raise Conflict(sentence, code="name_taken") from None


def _stand_on(service: Service, names: Sequence[str]) -> bool:
    """Make these its dependencies; whether that is a change. Raises InvalidInput for one that is not there, and for a circle."""
    below = [_dependency(name) for name in names]
    before = set(service.dependencies.values_list("pk", flat=True))
    # One at a time: two that are saved at once could otherwise close a circle that neither of them sees.
    list(Service.objects.select_for_update().filter(deleted_at__isnull=True).order_by("pk").values_list("pk", flat=True))
    service.dependencies.set(below)
    edges: dict[str, list[str]] = {}
    through = Service.dependencies.through.objects.filter(from_service__deleted_at__isnull=True)
    for above, under in through.values_list("from_service__name", "to_service__name"):
        edges.setdefault(above, []).append(under)
    if way := dependencies.circle(edges, service.name):
        sentence = f"They would stand on each other in a circle: {' → '.join(way)}. Leave one of these out."
        raise InvalidInput(f"The dependencies of {service.name} cannot be saved. {sentence}", fields={"dependencies": [sentence]})
    return before != {one.pk for one in below}


def _dependency(name: str) -> Service:
    try:
        return find(name)
    except NotFound as error:
        raise InvalidInput(error.message, fields={"dependencies": [error.message]}) from None
