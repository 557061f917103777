"""Waits for the end of an execution, doing here what it needs where no worker takes it. Called by the façade and `rules run`."""

import time

from automation.enums import OPEN, ExecutionStatus
from automation.models import Execution
from config.kernel.flow import jobs

DUTIES = ("automation.advance", "acts.invoke", "automation.advance")
PAUSE_SECONDS = 0.05


def until_end(execution: Execution, *, seconds: float) -> bool:
    """Whether it was completed, and within `seconds`. The row is read anew; an execution that goes on after that is left to the workers."""
    end = time.monotonic() + seconds
    while True:
        for duty in DUTIES:
            jobs.work(duty)
        execution.refresh_from_db()
        if execution.status not in OPEN or time.monotonic() >= end:
            return bool(execution.status == ExecutionStatus.COMPLETED)
        time.sleep(PAUSE_SECONDS)
