"""Containers and swarm services, by the Docker Engine API (v1.41, docs.docker.com/reference/api/engine). DOCKER_HOST says where."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from django import forms
from django.conf import settings

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome
from healing.services import sockets
from healing.services.sockets import Ask

API = "/v1.41"
CONFIGURE = "Not configured: set DOCKER_HOST (unix:///var/run/docker.sock, or http://host:port)."
LOOK_SECONDS = 5.0
# What a container gets to end by itself before it is killed, and what that call may take in all.
GRACE_SECONDS = 10
DEED_SECONDS = 60.0
CONTAINER, COMPOSE, SWARM = "container", "compose", "swarm"


class Refusal(Exception):
    """The engine said no, or nothing; says what."""


class DockerParameters(forms.Form):
    """What kind of thing, and its name."""

    kind = forms.ChoiceField(
        choices=[(CONTAINER, "one container"), (COMPOSE, "the containers of a compose service"), (SWARM, "a swarm service")],
        initial=CONTAINER,
        help_text="Scaling a compose service starts and stops those of its containers that are there.",
    )
    name = forms.RegexField(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", max_length=128, help_text="Name or id of the container; name of the service.")
    project = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*$", max_length=128, required=False, help_text="Of a compose service: the project that it belongs to."
    )

    def clean(self) -> dict[str, Any]:
        """A compose service is named by its project too."""
        given = super().clean() or {}
        if given.get("kind") == COMPOSE and not given.get("project"):
            self.add_error("project", "Name the project: there may be a service of that name in several.")
        return given


class Docker(Controller):
    """Looks, restarts, starts and stops by the engine's API; makes and removes no container."""

    title = "Docker"
    about = "A container, a compose service or a swarm service of the Docker Engine at DOCKER_HOST."
    Parameters = DockerParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        if not settings.DOCKER_HOST:
            return Standing("unknown", detail=CONFIGURE)
        try:
            return _swarm_standing(params) if params["kind"] == SWARM else _standing(_containers(params))
        except Refusal as refusal:
            return Standing("unknown", detail=str(refusal))

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        if not settings.DOCKER_HOST:
            return NotConfigured(CONFIGURE)
        try:
            if params["kind"] == SWARM:
                _update_swarm(params, restart=True)
                return Done({"service": params["name"]})
            found = _containers(params)
            # Those that scaling has stopped stay so; when nothing runs, the first is meant.
            chosen = [one for one in found if one["State"]["Running"]] or found[:1]
            for one in chosen:
                _call("POST", f"/containers/{one['Id']}/restart?t={GRACE_SECONDS}", seconds=DEED_SECONDS)
        except Refusal as refusal:
            return Failed("docker", f"{params['name']} could not be restarted: {refusal}")
        return Done({"containers": [one["Id"][:12] for one in chosen]})

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        if not settings.DOCKER_HOST:
            return NotConfigured(CONFIGURE)
        try:
            if params["kind"] == SWARM:
                _update_swarm(params, instances=instances)
                return Done({"instances": instances})
            return _start_and_stop(_containers(params), params["name"], instances)
        except Refusal as refusal:
            return Failed("docker", f"{params['name']} could not be scaled: {refusal}")


def _containers(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """As the engine inspects them; those of a compose service by their number. Never none."""
    if params["kind"] == CONTAINER:
        return [_call("GET", f"/containers/{quote(params['name'])}/json")]
    labels = [f"com.docker.compose.project={params['project']}", f"com.docker.compose.service={params['name']}"]
    asked = urlencode({"all": "true", "filters": orjson.dumps({"label": labels}).decode()})
    listed = sorted(_call("GET", f"/containers/json?{asked}"), key=_number)
    if not listed:
        raise Refusal(f"There is no container of the compose service {params['name']} in the project {params['project']}.")
    return [_call("GET", f"/containers/{one['Id']}/json") for one in listed]


def _number(listed: Mapping[str, Any]) -> int:
    return int(listed["Labels"].get("com.docker.compose.container-number", 0))


def _standing(found: Sequence[Mapping[str, Any]]) -> Standing:
    states = [one["State"] for one in found]
    running = [state for state in states if state["Running"] and not state.get("Restarting") and not state.get("Paused")]
    sick = [state for state in states if state.get("Health", {}).get("Status") == "unhealthy"]
    bad = [state for state in states if state.get("Dead") or state.get("OOMKilled") or (state["Status"] == "exited" and state["ExitCode"])]
    detail = "Docker calls it unhealthy." if sick else "; ".join(_ended(state) for state in bad[:3])
    if running:
        state = "running"
    elif any(state.get("Restarting") for state in states):
        state = "starting"
    else:
        state = "failed" if bad else "stopped"
    return Standing(state, len(running), detail, tuple(int(one["Pid"]) for one in running if one.get("Pid")))


def _ended(state: Mapping[str, Any]) -> str:
    return f"It ended with {state['ExitCode']}{', out of memory' if state.get('OOMKilled') else ''}. {state.get('Error', '')}".strip()


def _start_and_stop(found: Sequence[Mapping[str, Any]], name: str, instances: int) -> Outcome:
    if instances > len(found):
        sentence = f"There are {len(found)} containers of {name}, not {instances}. Make more with `docker compose up --scale`."
        return Failed("too_few_containers", sentence)
    up = [one for one in found if one["State"]["Running"]]
    for one in [one for one in found if one not in up][: max(0, instances - len(up))]:
        _call("POST", f"/containers/{one['Id']}/start", seconds=DEED_SECONDS)
    for one in up[instances:]:
        _call("POST", f"/containers/{one['Id']}/stop?t={GRACE_SECONDS}", seconds=DEED_SECONDS)
    return Done({"instances": instances})


def _swarm_standing(params: Mapping[str, Any]) -> Standing:
    asked = urlencode({"filters": orjson.dumps({"service": [params["name"]], "desired-state": ["running"]}).decode()})
    service, tasks = _call("GET", f"/services/{quote(params['name'])}"), _call("GET", f"/tasks?{asked}")
    wanted = service["Spec"]["Mode"].get("Replicated", {}).get("Replicas", len(tasks))
    states = [task["Status"]["State"] for task in tasks]
    running = states.count("running")
    if running:
        state = "running"
    else:
        state = "stopped" if wanted == 0 else "failed" if states and all(word in ("failed", "rejected") for word in states) else "starting"
    return Standing(state, running, "" if running == wanted else f"{running} of {wanted} tasks run.")


def _update_swarm(params: Mapping[str, Any], *, instances: int | None = None, restart: bool = False) -> None:
    """The engine wants the whole specification and the version it was read at: somebody else's change is refused, not undone."""
    service = _call("GET", f"/services/{quote(params['name'])}")
    spec = service["Spec"]
    if instances is not None:
        if "Replicated" not in spec["Mode"]:
            raise Refusal("it runs once on every node and has no number.")
        spec["Mode"]["Replicated"]["Replicas"] = instances
    if restart:
        spec["TaskTemplate"]["ForceUpdate"] = spec["TaskTemplate"].get("ForceUpdate", 0) + 1
    _call("POST", f"/services/{service['ID']}/update?version={service['Version']['Index']}", body=spec, seconds=DEED_SECONDS)


def _call(method: str, path: str, *, body: Any = None, seconds: float = LOOK_SECONDS) -> Any:
    """One call; what it answers. 304 means that it is so already. Raises Refusal with the engine's own words."""
    content = b"" if body is None else orjson.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    answer = sockets.ask(Ask(settings.DOCKER_HOST, API + path, method, content, headers, timeout_seconds=seconds))
    if answer.error:
        raise Refusal(answer.error)
    try:
        found = orjson.loads(answer.body) if answer.body.strip() else None
    except orjson.JSONDecodeError:
        raise Refusal(f"what answered at DOCKER_HOST is no Docker Engine ({answer.status}).") from None
    if answer.status >= 400:
        raise Refusal(str(found.get("message", answer.status)) if isinstance(found, dict) else f"the engine answered {answer.status}.")
    return found


controllers.register("healing.docker", Docker(), module=__name__)
