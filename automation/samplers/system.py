"""This machine, by psutil: processor, memory, disks, network, and what our own processes take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from django.conf import settings

from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import window

# Before there is a tick to compare with, the processor is watched for so long.
FIRST_LOOK_SECONDS = 0.2
FACTS = (
    Fact("cpu_usage", unit="%", about="Processor time in use, over all cores, since the last sample."),
    Fact("memory_usage", unit="%", about="Memory in use, as psutil counts it: what is not available."),
    Fact("memory_available", unit="bytes", about="Memory that can be given out without swapping."),
    Fact("swap_usage", unit="%", about="Swap in use."),
    Fact("disk_usage", unit="%", about="Space in use on the root file system."),
    Fact("disk_free", unit="bytes", about="Space left on the root file system."),
    Fact("data_disk_usage", unit="%", about="Space in use where DATA_DIR is."),
    Fact("load_1m", about="Load average of the last minute."),
    Fact("load_5m", about="Load average of the last five minutes."),
    Fact("network_received", unit="bytes/s", about="Bytes received by all network interfaces."),
    Fact("network_sent", unit="bytes/s", about="Bytes sent by all network interfaces."),
    Fact("disk_read", unit="bytes/s", about="Bytes read from all disks."),
    Fact("disk_written", unit="bytes/s", about="Bytes written to all disks."),
    Fact("process_memory", unit="bytes", about="Resident memory of all processes that run from this installation's folder."),
    Fact("process_count", about="Processes that run from this installation's folder."),
)


class System(Sampler):
    """The machine that the tick ran on."""

    title = "This machine"

    def facts(self) -> Sequence[Fact]:
        """Always the same."""
        return FACTS

    def measure(self) -> Mapping[str, float | None]:
        """Takes a few milliseconds; a fifth of a second the first time."""
        memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
        load = psutil.getloadavg()
        return {
            "cpu_usage": _cpu_usage(),
            "memory_usage": memory.percent,
            "memory_available": memory.available,
            "swap_usage": psutil.swap_memory().percent,
            "disk_usage": disk.percent,
            "disk_free": disk.free,
            "data_disk_usage": psutil.disk_usage(str(settings.DATA_DIR)).percent,
            "load_1m": load[0],
            "load_5m": load[1],
            **_traffic(),
            **_ours(),
        }


def _cpu_usage() -> float:
    """Busy time of the processor since the last tick, so that nothing between two ticks is missed."""
    times = psutil.cpu_times()
    # Guests' time is in the user's already; waiting for a disk is not work.
    whole = sum(times) - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
    idle = times.idle + getattr(times, "iowait", 0)
    between = window.current()
    busy, elapsed = between.rise_of("cpu.busy", whole - idle), between.rise_of("cpu.all", whole)
    if busy is None or not elapsed:
        return psutil.cpu_percent(interval=FIRST_LOOK_SECONDS)
    return min(100.0, round(busy / elapsed * 100, 2))


def _traffic() -> dict[str, float | None]:
    network, disks = psutil.net_io_counters(), psutil.disk_io_counters()
    counted = {
        "network_received": network and network.bytes_recv,
        "network_sent": network and network.bytes_sent,
        "disk_read": disks and disks.read_bytes,
        "disk_written": disks and disks.write_bytes,
    }
    return {name: _per_second(name, value) for name, value in counted.items() if value is not None}


def _per_second(name: str, value: float) -> float | None:
    between = window.current()
    rise = between.rise_of(name, value)
    return rise / between.seconds if rise is not None and between.seconds else None


def _ours() -> dict[str, float | None]:
    """Processes whose command line names our manage.py, by its path or from its folder, and their children."""
    found: dict[int, int] = {}
    for process in psutil.process_iter(["pid", "ppid", "cmdline", "memory_info"]):
        memory = process.info["memory_info"]
        if memory is not None and (process.info["ppid"] in found or _is_ours(process)):
            found[process.pid] = memory.rss
    return {"process_memory": float(sum(found.values())), "process_count": float(len(found))} if found else {}


def _is_ours(process: psutil.Process) -> bool:
    words = [Path(word) for word in process.info["cmdline"] or () if word.endswith("manage.py")]
    if not words:
        return False
    try:
        return any((Path(process.cwd()) / word).parent == settings.BASE_DIR for word in words)
    except psutil.Error:
        return False


samplers.register("automation.system", System(), module=__name__)
