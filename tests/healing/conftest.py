"""What the tests of healing share."""

from datetime import UTC, datetime

import pytest
import time_machine

from tests.support import steered


@pytest.fixture
def pretend():
    """A controller whose service lives in this process: one instance, running."""
    with steered.pretended() as found:
        yield found


@pytest.fixture
def frozen():
    """Time that stands still until it is moved (`shift`, in seconds)."""
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), tick=False) as found:
        yield found
