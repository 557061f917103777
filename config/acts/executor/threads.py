"""Threads in which inline actions run, and in which this process waits for its children. They and their connections end with the loop."""

import queue
import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

Task = Callable[[], None]


class Threads:
    """As many as are needed at once, each kept for the next task. A task must not raise."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self.free = threading.Semaphore(0)
        self.started = 0

    def submit(self, task: Task) -> None:
        """Have it done by a thread that is free, or by a new one."""
        self.tasks.put(task)
        if not self.free.acquire(blocking=False):
            self.started += 1
            # Not waited for at the end of the process: what it does then has a lease that runs out.
            threading.Thread(target=self._work, name=f"{self.name}-{self.started}", daemon=True).start()

    def close(self) -> None:
        """Every thread ends after the task it is at."""
        for _ in range(self.started):
            self.tasks.put(None)
        self.started = 0

    def _work(self) -> None:
        try:
            while (task := self.tasks.get()) is not None:
                close_old_connections()
                task()
                self.free.release()
        finally:
            connections.close_all()
