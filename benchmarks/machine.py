"""What the numbers were measured on, and how busy it was with other things meanwhile. Used by `run` and by scenarios."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import psutil


def describe(*, database_url: str, redis_url: str) -> dict[str, Any]:
    """Processor, cores, memory and versions; and what PostgreSQL promises about the disk."""
    import psycopg
    import redis

    with psycopg.connect(database_url, autocommit=True) as connection:
        version, fsync, synchronous = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone() or ("", "", "")
    with redis.Redis.from_url(redis_url) as client:
        info: Any = client.info("server")
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{version} (fsync {fsync}, synchronous_commit {synchronous})",
        "Redis": str(info.get("valkey_version") or info["redis_version"]),
    }


def _processor() -> str:
    with Path("/proc/cpuinfo").open() if Path("/proc/cpuinfo").exists() else open(os.devnull) as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


class Meter:
    """Processor time of our processes by name, and the share of the machine that was used by anything else.

    `bench` is this process with the helpers that it waited for, such as the loader.
    """

    def __init__(self, roots: dict[str, int]) -> None:
        self._roots = roots
        self._begin = time.monotonic()
        self._before = {name: _seconds_of(pid) for name, pid in roots.items()}
        self._bench = _own_seconds()
        self._all = _busy_seconds()

    def read(self) -> tuple[dict[str, float], float]:
        """Seconds by name since the start, and how much of all cores (0 to 1) went to processes that are not named in `roots`."""
        spent = {name: max(0.0, _seconds_of(pid) - self._before[name]) for name, pid in self._roots.items()}
        spent["bench"] = _own_seconds() - self._bench
        whole = (time.monotonic() - self._begin) * (os.cpu_count() or 1)
        others = max(0.0, _busy_seconds() - self._all - sum(spent.values()))
        return spent, min(1.0, others / whole) if whole else 0.0


def _seconds_of(pid: int) -> float:
    total = 0.0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
    except psutil.Error:
        pass
    return total


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
