"""Our own workers: their pools grow, shrink and are restarted by Celery's remote control. Only with workers of their own (REDIS_URL)."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import current_app
from django import forms
from django.conf import settings
from kombu.exceptions import OperationalError

from config.acts.plugins.controllers import Controller, Standing, controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome

CONFIGURE = (
    "Not configured: there are no workers of their own. Set REDIS_URL and start `manage.py worker`; the one-process set-up has no pool."
)
ANSWER_SECONDS = 2.0
PREFORK = "prefork"
AWAY = (OperationalError, OSError)


class PoolParameters(forms.Form):
    """Which of our workers."""

    queue = forms.SlugField(
        max_length=40,
        initial="default",
        help_text="Workers started with `worker --queue …`. That of deliveries has one thread and no pool.",
    )


class CeleryPool(Controller):
    """The instances are the processes of all workers of one queue."""

    title = "Our own workers"
    about = "The processes of Steward's workers. Scaling grows and shrinks their pools until they are restarted."
    Parameters = PoolParameters

    def status(self, params: Mapping[str, Any]) -> Standing:
        if _is_embedded():
            return Standing("unknown", detail=CONFIGURE)
        try:
            pools = _pools(params["queue"])
        except AWAY as error:
            return Standing("unknown", detail=f"Redis cannot be asked for our workers ({type(error).__name__}).")
        if not pools:
            return Standing("stopped", 0, f"No worker with a pool of processes answers for the queue {params['queue']}.")
        pids = [pid for pool in pools.values() for pid in pool["processes"]]
        return Standing("running", sum(_size(pool) for pool in pools.values()), f"{len(pools)} worker(s).", tuple(pids))

    def restart(self, params: Mapping[str, Any]) -> Outcome:
        if _is_embedded():
            return NotConfigured(CONFIGURE)
        try:
            pools = _pools(params["queue"])
            if not pools:
                return _nobody(params)
            # Fresh processes come first and the oldest idle ones go, so that no task is interrupted. Celery's own `pool_restart`
            # was tried and left processes as they were.
            said: list[Mapping[str, Any]] = []
            for worker, pool in pools.items():
                said += (grown := _resize(worker, _size(pool)))
                # Without the fresh ones there would be nobody left.
                said += [] if _complaints(grown) else _resize(worker, -_size(pool))
        except AWAY as error:
            return Failed("broker", f"The workers cannot be told: Redis is away ({type(error).__name__}).")
        return _done(said, {"workers": sorted(pools)})

    def scale(self, params: Mapping[str, Any], instances: int) -> Outcome:
        if _is_embedded():
            return NotConfigured(CONFIGURE)
        try:
            pools = _pools(params["queue"])
            if not pools:
                return _nobody(params)
            if instances < len(pools):
                return Failed("too_few", f"Each of the {len(pools)} workers has at least one process; stop one to have {instances}.")
            said: list[Mapping[str, Any]] = []
            for worker, wanted in zip(sorted(pools), _spread(instances, len(pools)), strict=True):
                said += _resize(worker, wanted - _size(pools[worker]))
        except AWAY as error:
            return Failed("broker", f"The workers cannot be told: Redis is away ({type(error).__name__}).")
        return _done(said, {"instances": instances})


def _is_embedded() -> bool:
    return not settings.REDIS_URL


def _pools(queue: str) -> dict[str, Mapping[str, Any]]:
    """The prefork pools by worker, as each tells of itself; workers are named `<queue>-<pid>@<host>`."""
    found = current_app.control.inspect(timeout=ANSWER_SECONDS).stats() or {}
    pools = {name: stats["pool"] for name, stats in found.items() if name.partition("@")[0].rpartition("-")[0] == queue}
    return {name: pool for name, pool in pools.items() if PREFORK in pool.get("implementation", "")}


def _size(pool: Mapping[str, Any]) -> int:
    return len(pool["processes"])


def _spread(instances: int, workers: int) -> Sequence[int]:
    """As evenly as whole numbers allow."""
    each, rest = divmod(instances, workers)
    return [each + (index < rest) for index in range(workers)]


def _resize(worker: str, by: int) -> Sequence[Mapping[str, Any]]:
    if by == 0:
        return []
    tell = current_app.control.pool_grow if by > 0 else current_app.control.pool_shrink
    return tell(abs(by), destination=[worker], reply=True, timeout=ANSWER_SECONDS, limit=1) or [{worker: {"error": "it did not answer"}}]


def _done(said: Sequence[Mapping[str, Any]], output: Mapping[str, Any]) -> Outcome:
    """Done when no worker complained."""
    complaints = _complaints(said)
    return Failed("worker", "; ".join(complaints)) if complaints else Done(output)


def _complaints(said: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{name}: {answer['error']}" for one in said for name, answer in one.items() if "error" in answer]


def _nobody(params: Mapping[str, Any]) -> Failed:
    return Failed("no_worker", f"No worker with a pool answers for the queue {params['queue']}. Start `manage.py worker`.")


controllers.register("healing.celery_pool", CeleryPool(), module=__name__)
