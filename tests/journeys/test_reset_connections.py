"""Connections reset while everything runs: real workers, PostgreSQL, Redis and receivers, each seen from its own side."""

import json
import os
from itertools import count

import psutil
import pytest

from tests.support import receivers, stack
from tests.support.stack import until

# What the executor of actions does with an action that waits.
RUN = """
import json, time
from config.acts.plugins.actions import Call, actions
from config.kernel.flow.outcomes import Waiting
state = {}
while True:
    found = actions.get("automation.reset_connections").run({}, Call(id="inv_1", key="inv_1", owner="system", state=state))
    if not isinstance(found, Waiting):
        break
    state = json.loads(json.dumps(found.state))
    time.sleep(1)
print(json.dumps(dict(found.output)))
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with stack.installation(tmp_path_factory.mktemp("house")) as found:
        yield found


def test_every_process_opens_its_connections_anew_and_nothing_is_lost(house):
    with receivers.ok() as sink:
        answer = house.call("/api/v1/webhooks/endpoints", {"url": sink.url, "events": ["video.failed"]})
        assert answer.status == 201, answer.body
        deliver(house, sink, 1)
        deliver(house, sink, 2)
        assert len(sink.peer_ports) == 1, "the second delivery went over the connection of the first"
        before = seen_by_servers(house)
        said = json.loads(house.manage("shell", "-v", "0", "-c", RUN).strip().splitlines()[-1])
        # A wish is heard a second later at most.
        numbers = count(3)
        until(lambda: deliver(house, sink, next(numbers)) or len(sink.peer_ports) == 2, what="closing the pool")
        until(lambda: stack.is_healthy(house), what="being healthy afterwards")
    if not os.environ.get("REDIS_URL"):
        assert "anew" in said["database"]
        return
    assert said["database"]["before"] > 0
    assert said["database"]["renewed"] > 0
    assert said["redis"]["closed"] > 0
    for name in ("worker", "deliveries"):
        for server in ("postgres", "redis"):
            assert before[name][server], (name, server)
    after = seen_by_servers(house)
    for name in ("worker", "deliveries"):
        for server in ("postgres", "redis"):
            assert after[name][server], (name, server)
            assert not before[name][server] & after[name][server], (name, server)


def deliver(house, sink, number):
    event = {"type": "video.failed", "data": {"videoId": f"v{number}", "error": {"message": "m"}}}
    assert house.call("/api/v1/events", event).status < 300
    sink.wait_for(number, seconds=30)


def seen_by_servers(house):
    """Part → what PostgreSQL (backend pids) and Redis (client ids) know of its processes, by the ports that these have open."""
    if not os.environ.get("REDIS_URL"):
        return {}
    import redis

    backends = dict(house.rows("SELECT client_port, pid FROM pg_stat_activity WHERE datname = current_database()"))
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        clients = {int(one["addr"].rpartition(":")[2]): one["id"] for one in client.client_list()}
    found = {}
    for name, process in house.running.items():
        ports = open_ports(process.pid)
        found[name] = {
            "postgres": {pid for port, pid in backends.items() if port in ports},
            "redis": {number for port, number in clients.items() if port in ports},
        }
    return found


def open_ports(pid):
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {one.laddr.port for process in tree for one in process.net_connections("tcp")}
