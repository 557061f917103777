"""Whether a service answers: one HTTP request or one TCP connection, with a deadline, under the address rule. Called by `standing`."""

import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.kernel.wire import addresses, http
from healing.enums import Health, HealthKind
from healing.models import Service

REPLY_BYTES = 2048
VOUCH = "Name it in STEWARD_TRUSTED_TARGETS to have it checked all the same."


@dataclass(frozen=True)
class Checked:
    """What a check found, and a sentence."""

    health: str
    detail: str


def check(service: Service) -> Checked:
    """Look once. Never raises; `unknown` when we were not allowed to ask, `critical` when nobody answers as expected."""
    if service.health_kind == HealthKind.HTTP:
        return _ask(service)
    if service.health_kind == HealthKind.TCP:
        return _connect(service)
    return Checked(Health.DISABLED, "Its health is not checked.")


def _ask(service: Service) -> Checked:
    request = http.Request("GET", service.health_target, timeout_seconds=service.health_timeout_seconds, max_reply_bytes=REPLY_BYTES)
    reply = http.send(request)
    if reply.error_code == "blocked_url":
        return Checked(Health.UNKNOWN, f"{reply.error} {VOUCH}")
    if reply.error_code:
        return Checked(Health.CRITICAL, reply.error)
    if reply.status != service.health_expected_status:
        return Checked(Health.CRITICAL, f"It answered {reply.status}, not {service.health_expected_status}.")
    return Checked(Health.HEALTHY, f"It answered {reply.status} in {reply.duration_ms:.0f} ms.")


def _connect(service: Service) -> Checked:
    """One connection, closed at once: to the first address of the name that takes one within the deadline."""
    target = service.health_target
    is_trusted = any(addresses.trusted_target(f"{scheme}://{target}") for scheme in ("http", "https"))
    parts = urlsplit(f"tcp://{target}")
    host, port = parts.hostname or "", parts.port or 0
    begin, said = time.perf_counter(), f"{host} has no address"
    try:
        places = [str(place[0]) for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        return Checked(Health.CRITICAL, f"It takes no connection at {target}: {error.strerror or error}.")
    for place in places:
        if not is_trusted and (denial := addresses.denial(place, port)):
            return Checked(Health.UNKNOWN, f"It was not asked: {denial}. {VOUCH}")
        left = service.health_timeout_seconds - (time.perf_counter() - begin)
        try:
            with socket.create_connection((place, port), timeout=max(0.05, left)):
                return Checked(Health.HEALTHY, f"It took a connection in {(time.perf_counter() - begin) * 1000:.0f} ms.")
        except OSError as error:
            said = str(error.strerror or error or "timed out")
    return Checked(Health.CRITICAL, f"It takes no connection at {target}: {said}.")
