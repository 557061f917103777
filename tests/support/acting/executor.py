"""Works off invocations in the test's own thread and transaction: the same loop, with a pool that does at once what it is told."""

from config.acts.executor.loop import Loop
from config.acts.models import Invocation
from config.acts.running.runner import Runner


class Here:
    """A pool that is the caller."""

    def submit(self, task):
        task()

    def close(self):
        pass


def work_off(runner=None):
    """Run everything that is due, `child` actions only with a runner; the invocations there are, oldest first."""
    Loop(runner or Runner(), inline=Here(), stay_seconds=0).run()
    return list(Invocation.objects.order_by("id"))
