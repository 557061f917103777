"""The executor of this process: started when there is something to do, told when there is more, stopped with the worker.
Called by the duty `acts.invoke`."""

import threading
from dataclasses import dataclass, field

from django.db import connections

from config.acts.executor.loop import GRACE_SECONDS, Loop
from config.acts.running.runner import Runner


@dataclass
class _House:
    """What this process has: at most one loop, and the runner that outlives it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    runner: Runner = field(default_factory=Runner)
    loop: Loop | None = None
    thread: threading.Thread | None = None
    is_stopped: bool = False


_house = _House()


def go() -> bool:
    """See to it that the loop is at work and looks again; False when this process was told to stop. Returns at once."""
    with _house.lock:
        if _house.is_stopped:
            return False
        if _house.loop is not None:
            _house.loop.wake()
            return True
        _house.loop = Loop(_house.runner)
        # Waited for at the end of the process: it ends when there is nothing to do, or soon after `stop`.
        _house.thread = threading.Thread(target=_run, args=(_house.loop,), name="executor")
        _house.thread.start()
        return True


def stop(*, grace_seconds: float = GRACE_SECONDS) -> None:
    """Nothing is claimed any more; what runs has `grace_seconds` to end. Returns at once."""
    with _house.lock:
        _house.is_stopped = True
        if _house.loop is not None:
            _house.loop.stop(grace_seconds=grace_seconds)
        else:
            _house.runner.close()


def _run(loop: Loop) -> None:
    try:
        while True:
            loop.run()
            with _house.lock:
                # A nudge that came while it was ending finds it still there.
                if loop.landed.empty() or _house.is_stopped:
                    _house.loop = None
                    break
                loop = _house.loop = Loop(_house.runner)
    finally:
        with _house.lock:
            _house.loop = None
        connections.close_all()
        if _house.is_stopped:
            _house.runner.close()
