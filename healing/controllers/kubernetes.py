"""Deployments and stateful sets, by the API server (apps/v1, kubernetes.io/docs/reference). KUBERNETES_API_URL says where."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from django import forms
from django.conf import settings

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome
from healing.services import sockets
from healing.services.sockets import Ask

CONFIGURE = "Not configured: set KUBERNETES_API_URL (https://host:port), and a token in KUBERNETES_TOKEN_FILE."
SECONDS = 10.0
NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
# What `kubectl rollout restart` writes too.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Refusal(Exception):
    """The API server said no, or nothing; says what."""


class KubernetesParameters(forms.Form):
    """Which workload."""

    kind = forms.ChoiceField(choices=[("deployments", "Deployment"), ("statefulsets", "StatefulSet")], initial="deployments")
    namespace = forms.RegexField(NAME, max_length=63, initial="default")
    name = forms.RegexField(NAME, max_length=253)


class Kubernetes(Controller):
    """Restarts by rolling, so that some of it answers all the while; scales by the scale subresource."""

    title = "Kubernetes"
    about = "A deployment or stateful set of the cluster at KUBERNETES_API_URL. It needs get and patch on it, and patch on its scale."
    Parameters = KubernetesParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        if not settings.KUBERNETES_API_URL:
            return Standing("unknown", detail=CONFIGURE)
        try:
            return _standing(_call("GET", _path(params)))
        except Refusal as refusal:
            return Standing("unknown", detail=str(refusal))

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        marks = {RESTARTED_AT: clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        patch = {"spec": {"template": {"metadata": {"annotations": marks}}}}
        return _patched(params, "", patch, kind="strategic-merge-patch", what="restarted")

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        return _patched(params, "/scale", {"spec": {"replicas": instances}}, kind="merge-patch", what="scaled")


def _patched(params: Mapping[str, Any], part: str, patch: Mapping[str, Any], *, kind: str, what: str) -> Outcome:
    if not settings.KUBERNETES_API_URL:
        return NotConfigured(CONFIGURE)
    try:
        _call("PATCH", _path(params) + part, body=patch, kind=kind)
    except Refusal as refusal:
        return Failed("kubernetes", f"{params['name']} could not be {what}: {refusal}")
    return Done({"name": params["name"], "namespace": params["namespace"]})


def _path(params: Mapping[str, Any]) -> str:
    return f"/apis/apps/v1/namespaces/{quote(params['namespace'])}/{params['kind']}/{quote(params['name'])}"


def _standing(found: Mapping[str, Any]) -> Standing:
    """An older observation than the present specification says nothing yet: the roll-out has only begun."""
    spec, status = found["spec"], found.get("status", {})
    wanted, ready, updated = spec.get("replicas", 1), status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    is_observed = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    is_settled = is_observed and status.get("replicas", 0) == wanted == updated == ready
    detail = "" if is_settled else f"{ready} of {wanted} are ready, {updated} are up to date."
    stuck = next((one for one in status.get("conditions", []) if one["type"] == "Progressing" and one["status"] == "False"), None)
    if wanted == 0 and is_settled:
        return Standing("stopped", 0)
    if stuck:
        return Standing("failed", ready, f"{detail} {stuck.get('message', '')}".strip())
    return Standing("running" if is_settled else "starting", ready, detail)


def _call(method: str, path: str, *, body: Any = None, kind: str = "") -> Any:
    """One call with the token as it is now. Raises Refusal with the server's own words."""
    try:
        token = Path(settings.KUBERNETES_TOKEN_FILE).read_text().strip()
    except OSError as error:
        raise Refusal(f"the token cannot be read from {settings.KUBERNETES_TOKEN_FILE}: {error.strerror}.") from None
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = f"application/{kind}+json"
    content = b"" if body is None else orjson.dumps(body)
    answer = sockets.ask(Ask(settings.KUBERNETES_API_URL, path, method, content, headers, timeout_seconds=SECONDS))
    if answer.error:
        raise Refusal(answer.error)
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise Refusal(f"what answered at KUBERNETES_API_URL is no API server ({answer.status}).") from None
    if answer.status >= 400:
        raise Refusal(str(found.get("message", f"it answered {answer.status}.")))
    return found


controllers.register("healing.kubernetes", Kubernetes(), module=__name__)
