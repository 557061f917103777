"""The kernel's own health checks: database, workers, Redis, GitHub's API, and events that wait too long.
Registered by the kernel's duties; run by `health`, each in its own thread."""

from datetime import timedelta

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection

from config.kernel.flow import clock
from config.kernel.models import Event
from config.kernel.plugins.contracts import Probed
from config.kernel.watch import heartbeat
from config.kernel.watch.health import CRITICAL, DISABLED, HEALTHY, WARNING
from config.kernel.wire import http

REDIS_SECONDS = 1.0
# GitHub counts calls; its state changes slowly and ours does not depend on it.
GITHUB_SECONDS = 1.5
GITHUB_KEPT_SECONDS = 300
GITHUB_FAILED_KEPT_SECONDS = 60
LATE = timedelta(seconds=60)
VERY_LATE = timedelta(minutes=15)


def database() -> Probed:
    """A real query on a fresh connection."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except Error as error:
        return Probed(CRITICAL, f"The database does not answer: {type(error).__name__}. `manage.py doctor database` says more.")
    return Probed(HEALTHY, f"{connection.display_name} answers.")


def celery() -> Probed:
    """Critical without a worker for thirty seconds; a warning when nobody takes deliveries or actions."""
    try:
        workers = heartbeat.alive()
    except Error:
        return Probed(CRITICAL, "The database does not answer, so no worker can work.")
    queues = {queue for worker in workers for queue in worker.queues}
    if not workers:
        return Probed(CRITICAL, f"No worker was alive in the last {heartbeat.ALIVE_SECONDS:.0f} s. {heartbeat.advice()}")
    missing = {"default", "deliveries", "actions"} - queues
    if missing:
        return Probed(WARNING, f"No worker takes the queue {' or '.join(sorted(missing))}. {heartbeat.advice(min(missing))}")
    return Probed(HEALTHY, f"{len(workers)} worker{'' if len(workers) == 1 else 's'} alive.")


def redis_server() -> Probed:
    """A PING, when REDIS_URL is set."""
    if not settings.REDIS_URL:
        return Probed(DISABLED, "REDIS_URL is not set.")
    try:
        with redis_client() as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return Probed(CRITICAL, f"Redis does not answer: {type(error).__name__}. `manage.py doctor redis` says more.")
    return Probed(HEALTHY, "Redis answers.")


def redis_client() -> "redis.Redis":
    """A connection of its own with short deadlines, for checks."""
    options = {"password": settings.REDIS_PASSWORD} if settings.REDIS_PASSWORD else {}
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS, **options)


def github_api() -> Probed:
    """GitHub's rate limit page, which costs no quota; asked at most every few minutes. Never more than a warning: it is not ours."""
    if not settings.GITHUB_TOKEN:
        return Probed(DISABLED, "GITHUB_TOKEN is not set.")
    kept = cache.get("health:github_api")
    if kept is not None:
        return Probed(*kept)
    found = _ask_github()
    seconds = GITHUB_KEPT_SECONDS if found.status == HEALTHY else GITHUB_FAILED_KEPT_SECONDS
    cache.set("health:github_api", (found.status, found.detail), timeout=seconds)
    return found


def backlog() -> Probed:
    """Whether events are routed soon after they came in."""
    oldest = Event.objects.filter(routed_at__isnull=True).order_by("id").values_list("created_at", flat=True).first()
    age = clock.now() - oldest if oldest else timedelta(0)
    if age < LATE:
        return Probed(HEALTHY, "Events are routed at once.")
    status = CRITICAL if age > VERY_LATE else WARNING
    return Probed(status, f"The oldest event has waited for {round(age.total_seconds())} s. Is a worker running?")


def _ask_github() -> Probed:
    headers = {"Authorization": f"Bearer {settings.GITHUB_TOKEN}", "Accept": "application/vnd.github+json", "User-Agent": "Steward"}
    url = f"{settings.GITHUB_API_URL}/rate_limit"
    reply = http.send(http.Request("GET", url, headers, b"", GITHUB_SECONDS, is_operator_target=True))
    if reply.error_code:
        return Probed(WARNING, f"GitHub's API cannot be reached: {reply.error}")
    if reply.status in (401, 403):
        return Probed(WARNING, "GitHub refuses GITHUB_TOKEN. Make a new one.")
    if reply.status != 200:
        return Probed(WARNING, f"GitHub's API answered with status {reply.status}.")
    return Probed(HEALTHY, "GitHub's API answers.")
