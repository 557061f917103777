"""The duty of healing: looks at services. The sweep and the nudges of the kernel run it."""

from datetime import datetime

from config.kernel.plugins.contracts import duties
from healing.services import services, standing


class Look:
    """See how every service stands, each SERVICE_CHECK_SECONDS."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many are due for a look."""
        return standing.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Look at them."""
        return standing.work(now, limit)


duties.register(services.DUTY, Look())
