"""Stand-ins for the Docker Engine (API 1.41) and a Kubernetes API server (apps/v1), from their published references.
They keep state, answer with the documented shapes and words, and refuse routes, parameters and fields that they do not know."""

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Answering(BaseHTTPRequestHandler):
    """Hands each request to the server's `engine`; an exception of the kind No is an answer."""

    server: Any

    def do_any(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        engine = self.server.engine
        with engine.lock:
            try:
                status, answer = engine.answer(self.command, unquote(parts.path), query, body, self.headers)
            except No as no:
                status, answer = no.status, engine.refusal(no)
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_any

    def address_string(self) -> str:
        return "somebody"

    def log_message(self, format: str, *words: object) -> None:
        return


class No(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def only(given: Mapping[str, Any] | None, *names: str, what: str = "parameters") -> None:
    """Refuse what is not documented."""
    if more := sorted(set(given or {}) - set(names)):
        raise No(400, f"unknown {what}: {', '.join(more)}")


class DockerEngine:
    """Containers by name and swarm services."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: list[str] = []
        self.containers: dict[str, dict[str, Any]] = {}
        self.services: dict[str, dict[str, Any]] = {}
        self.pid = 100

    def refusal(self, no: No) -> Any:
        return {"message": no.message}

    def add(self, name: str, *, labels: Mapping[str, str] | None = None, running: bool = True, **state: Any) -> None:
        """A container, as `docker inspect` shows it."""
        self.pid += 1
        known = {
            "Status": "running" if running else "exited",
            "Running": running,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": self.pid if running else 0,
            "ExitCode": 0,
            "Error": "",
            **state,
        }
        self.containers[name] = {
            "Id": f"{len(self.containers):064x}",
            "Name": f"/{name}",
            "State": known,
            "Config": {"Labels": dict(labels or {})},
        }

    def add_service(self, name: str, replicas: int | None) -> None:
        mode = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
        self.services[name] = {
            "ID": f"service{len(self.services)}",
            "Version": {"Index": 19},
            "Spec": {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": "demo:1"}, "ForceUpdate": 0}, "Mode": mode},
        }

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        self.calls.append(f"{method} {path}")
        version, *words = path.strip("/").split("/")
        if version != "v1.41":
            raise No(400, f"client version {version} is not known here")
        match (method, words):
            case ("GET", ["containers", "json"]):
                return 200, self._listed(query)
            case ("GET", ["containers", name, "json"]):
                only(query)
                return 200, self._container(name)
            case ("POST", ["containers", name, ("restart" | "start" | "stop") as verb]):
                only(query, *(() if verb == "start" else ("t",)))
                return self._done(verb, self._container(name)), None
            case ("GET", ["services", name]):
                only(query)
                return 200, self._service(name)
            case ("POST", ["services", name, "update"]):
                only(query, "version")
                return 200, self._updated(name, query, body)
            case ("GET", ["tasks"]):
                only(query, "filters")
                return 200, self._tasks(json.loads(query["filters"]))
        raise No(404, "page not found")

    def _container(self, name: str) -> dict[str, Any]:
        found = self.containers.get(name) or next((one for one in self.containers.values() if one["Id"] == name), None)
        if found is None:
            raise No(404, f"No such container: {name}")
        return found

    def _listed(self, query: Mapping[str, str]) -> list[Any]:
        only(query, "all", "filters")
        filters = json.loads(query.get("filters", "{}"))
        only(filters, "label", what="filters")
        wanted = dict(label.split("=", 1) for label in filters.get("label", []))
        found = [one for one in self.containers.values() if wanted.items() <= one["Config"]["Labels"].items()]
        return [{"Id": one["Id"], "Labels": one["Config"]["Labels"], "State": one["State"]["Status"]} for one in reversed(found)]

    def _done(self, verb: str, container: dict[str, Any]) -> int:
        state = container["State"]
        if (verb == "start") is state["Running"] and verb != "restart":
            return 304
        self.pid += 1
        runs = verb != "stop"
        state |= {"Running": runs, "Status": "running" if runs else "exited", "Pid": self.pid if runs else 0}
        return 204

    def _service(self, name: str) -> dict[str, Any]:
        found = self.services.get(name) or next((one for one in self.services.values() if one["ID"] == name), None)
        if found is None:
            raise No(404, f"service {name} not found")
        return found

    def _updated(self, name: str, query: Mapping[str, str], body: Any) -> Any:
        service = self._service(name)
        only(body, "Name", "TaskTemplate", "Mode", what="fields")
        if int(query["version"]) != service["Version"]["Index"]:
            raise No(500, "rpc error: code = Unknown desc = update out of sequence")
        service["Spec"] = body
        service["Version"]["Index"] += 1
        return {"Warnings": []}

    def _tasks(self, filters: Mapping[str, Any]) -> list[Any]:
        only(filters, "service", "desired-state", what="filters")
        spec = self._service(filters["service"][0])["Spec"]
        return [{"Status": {"State": "running"}} for _ in range(spec["Mode"].get("Replicated", {"Replicas": 2})["Replicas"])]


class ApiServer:
    """Deployments of the namespace `shop`; `settle` plays the controller that brings them about."""

    def __init__(self, token: str) -> None:
        self.lock = threading.Lock()
        self.token = token
        self.deployments: dict[str, dict[str, Any]] = {}

    def refusal(self, no: No) -> Any:
        return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": no.message, "code": no.status}

    def add(self, name: str, replicas: int) -> None:
        self.deployments[name] = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": name, "namespace": "shop", "generation": 1},
            "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {}}}},
            "status": {},
        }
        self.settle(name)

    def settle(self, name: str) -> None:
        """As when every pod has become ready."""
        found = self.deployments[name]
        count = found["spec"]["replicas"]
        found["status"] = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "conditions": [],
        }
        if count:
            found["status"]["readyReplicas"] = count

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise No(401, "Unauthorized")
        only(query)
        kind = headers.get("Content-Type", "")
        match (method, path.strip("/").split("/")):
            case ("GET", ["apis", "apps", "v1", "namespaces", "shop", "deployments", name]):
                return 200, self._one(name)
            case ("PATCH", ["apis", "apps", "v1", "namespaces", "shop", "deployments", name]):
                self._type(kind, "application/strategic-merge-patch+json")
                return 200, self._restarted(self._one(name), body)
            case ("PATCH", ["apis", "apps", "v1", "namespaces", "shop", "deployments", name, "scale"]):
                self._type(kind, "application/merge-patch+json")
                return 200, self._scaled(self._one(name), body)
        raise No(404, "the server could not find the requested resource")

    def _type(self, kind: str, wanted: str) -> None:
        if kind != wanted:
            raise No(415, f"the body of the request was in an unknown format - accepted media types include: {wanted}")

    def _one(self, name: str) -> dict[str, Any]:
        if name not in self.deployments:
            raise No(404, f'deployments.apps "{name}" not found')
        return self.deployments[name]

    def _restarted(self, found: dict[str, Any], body: Any) -> Any:
        only(body, "spec", what="fields")
        only(body["spec"], "template", what="fields")
        only(body["spec"]["template"], "metadata", what="fields")
        only(body["spec"]["template"]["metadata"], "annotations", what="fields")
        found["spec"]["template"]["metadata"]["annotations"] |= body["spec"]["template"]["metadata"]["annotations"]
        found["metadata"]["generation"] += 1
        return found

    def _scaled(self, found: dict[str, Any], body: Any) -> Any:
        only(body, "spec", what="fields")
        only(body["spec"], "replicas", what="fields")
        found["spec"]["replicas"] = body["spec"]["replicas"]
        found["metadata"]["generation"] += 1
        return {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": found["spec"]["replicas"]}}


class OverSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP over a unix socket."""

    daemon_threads = True


@contextmanager
def served(engine: Any, *, socket: Path | None = None) -> Iterator[str]:
    """The address of the engine: of the unix socket, or of a port on loopback."""
    server: Any = OverSocket(str(socket), Answering) if socket else ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.engine = engine
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"unix://{socket}" if socket else f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
