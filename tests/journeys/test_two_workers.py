"""Two processes that deliver from one database: each event goes out once, and a breaker that one of them opened holds both."""

import json
import threading
import time
import urllib.request
from collections import Counter
from itertools import pairwise

import psutil
import pytest

from tests.support import receivers, servers, stack
from tests.support.stack import until

RECOVERY_SECONDS = 2
EVENTS = 300


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """With a second deliveries worker; where there is but one process for everything, with a second of that."""
    with stack.installation(tmp_path_factory.mktemp("house"), WEBHOOK_BREAKER_RECOVERY=str(RECOVERY_SECONDS)) as found:
        first, second = senders(found)
        port = servers.free_port()
        found.commands = {**found.commands, second: found.commands[first]}
        found.start(second, PORT=str(port))
        until(lambda: answers(port) if second == "up2" else len(workers(found)) == 2, seconds=90, what="the second worker's start")
        yield found


def senders(house):
    return ("deliveries", "deliveries2") if "deliveries" in house.commands else ("up", "up2")


def workers(house):
    """The leases that live workers keep."""
    return house.rows("SELECT name FROM kernel_lease WHERE name LIKE 'worker:deliveries:%%'")


def answers(port):
    """Whether the second process is whole: it listens before that, but answers only then."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_each_event_is_delivered_once_though_two_workers_deliver(house):
    gate = threading.Event()
    with gated(gate) as receiver:
        subscribe(house, receiver, max_in_flight=1000, timeout_seconds=100)
        subscribe(house, receiver, max_in_flight=1000, timeout_seconds=100)
        publish(house, "once", EVENTS)
        # One process has 400 requests open at most; what it leaves is the other's.
        until(lambda: all(talks_to(house, name, receiver) for name in senders(house)), seconds=45, what="both delivering at once")
        gate.set()
        until(lambda: finished(house, receiver) == 2 * EVENTS, seconds=90, what="every delivery being recorded")
        came = Counter(json.loads(one.body)["eventId"] for one in receiver.requests)
        assert set(came.values()) == {2}, "once for each of the two endpoints"
        assert len(came) == EVENTS


def test_a_breaker_opened_by_one_worker_holds_the_other(house):
    times = []
    with broken(times) as receiver:
        subscribe(house, receiver, retry_strategy="fixed", retry_delay_seconds=1, retry_attempts=99)
        publish(house, "held", 60)
        until(lambda: times and time.monotonic() - times[-1] > 1, what="the breaker opening")
        before = len(times)
        assert before < 60, "nothing held back what had failed for nobody yet"
        until(lambda: len(times) >= before + 4, seconds=60, what="four trials")
        trials = times[before:]
        assert all(later - earlier > RECOVERY_SECONDS * 0.8 for earlier, later in pairwise(trials)), trials


def gated(gate):
    def answer(receiver, connection, request):
        gate.wait(50)
        return receivers.answering(200, b"")(receiver, connection, request)

    return receivers.serve(answer)


def broken(times):
    def answer(receiver, connection, request):
        times.append(time.monotonic())
        return receivers.answering(500, b"")(receiver, connection, request)

    return receivers.serve(answer)


def subscribe(house, receiver, **fields):
    answer = house.call("/api/v1/webhooks/endpoints", {"url": receiver.url, "events": ["video.failed"], **fields})
    assert answer.status == 201, answer.body


def publish(house, prefix, count):
    events = [
        {"type": "video.failed", "id": f"{prefix}-{number}", "data": {"videoId": "v", "error": {"message": "m"}}} for number in range(count)
    ]
    assert house.call("/api/v1/events/batch", {"events": events}).json()["created"] == count


def finished(house, receiver):
    statement = (
        "SELECT COUNT(*) FROM webhooks_delivery d JOIN webhooks_endpoint e ON e.id = d.endpoint_id"
        " WHERE e.url = %s AND d.status = 'delivered'"
    )
    return house.rows(statement, receiver.url)[0][0]


def talks_to(house, name, receiver):
    """Whether the process has a connection to the receiver now."""
    connections = psutil.Process(house.running[name].pid).net_connections("tcp")
    return any(one.raddr and one.raddr.port == receiver.port for one in connections)
