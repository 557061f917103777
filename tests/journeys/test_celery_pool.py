"""The controller of our own workers, against a real prefork worker and a Redis of its own: pools grow, shrink and are replaced."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from celery import Celery

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from healing.controllers import celery_pool
from tests.support import environment, servers
from tests.support.stack import until

pytestmark = pytest.mark.pure
POOL = controllers.get("healing.celery_pool")
DEFAULT = {"queue": "default"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """The address of a Redis with one worker of two processes."""
    folder = tmp_path_factory.mktemp("pool")
    with servers._folder() as home, servers._started(servers._redis(Path(home))) as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        environ = environment.of_process(folder / "data", REDIS_URL=url)
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--noinput"], cwd=environment.ROOT, env=environ, check=True, capture_output=True, timeout=120)
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen([*manage, "worker", "--concurrency", "2"], cwd=environment.ROOT, env=environ, stdout=log, stderr=log)
        try:
            yield url
        finally:
            worker.terminate()
            worker.wait(30)


@pytest.fixture
def pool(broker, monkeypatch, settings):
    """The controller, asking over that Redis."""
    settings.REDIS_URL = broker
    monkeypatch.setattr(celery_pool, "current_app", Celery("asker", broker=broker))
    until(lambda: POOL.status(DEFAULT).state == "running", seconds=60, what="the worker's first answer")
    return POOL


def test_its_instances_are_the_processes_of_the_pool(pool):
    standing = pool.status(DEFAULT)
    assert standing.instances == 2
    assert all(psutil.pid_exists(pid) for pid in standing.pids)
    assert os.getpid() not in standing.pids


def test_it_grows_and_shrinks_and_celery_itself_says_so(pool, broker):
    assert pool.scale(DEFAULT, 4) == Done({"instances": 4})
    until(lambda: pool.status(DEFAULT).instances == 4, seconds=20, what="four processes")
    [stats] = Celery("witness", broker=broker).control.inspect(timeout=2).stats().values()
    assert len(stats["pool"]["processes"]) == 4
    assert isinstance(pool.scale(DEFAULT, 1), Done)
    until(lambda: pool.status(DEFAULT).instances == 1, seconds=20, what="one process")
    pool.scale(DEFAULT, 2)
    until(lambda: pool.status(DEFAULT).instances == 2, seconds=20, what="two processes")


def test_a_restart_replaces_every_process_and_the_worker_goes_on(pool):
    before = pool.status(DEFAULT).pids
    assert isinstance(pool.restart(DEFAULT), Done)
    until(lambda: not set(before) & set(pool.status(DEFAULT).pids), seconds=30, what="other processes")
    until(lambda: pool.status(DEFAULT).instances == 2, seconds=30, what="two processes")


def test_a_worker_keeps_at_least_one_process(pool):
    outcome = pool.scale(DEFAULT, 0)
    assert isinstance(outcome, Failed)
    assert "at least one process" in outcome.message


def test_a_queue_without_a_worker_is_stopped(pool):
    assert pool.status({"queue": "nobody"}).state == "stopped"
    assert pool.scale({"queue": "nobody"}, 2).code == "no_worker"
    assert pool.restart({"queue": "nobody"}).code == "no_worker"


def test_a_broker_that_is_away_is_unknown_not_stopped(pool, monkeypatch):
    gone = f"redis://127.0.0.1:{servers.free_port()}/0"
    monkeypatch.setattr(celery_pool, "current_app", Celery("asker", broker=gone))
    assert pool.status(DEFAULT).state == "unknown"
    assert pool.scale(DEFAULT, 2).code == "broker"
    assert pool.restart(DEFAULT).code == "broker"


def test_the_one_process_set_up_has_no_pool(settings):
    settings.REDIS_URL = ""
    assert "REDIS_URL" in POOL.status(DEFAULT).detail
    assert isinstance(POOL.scale(DEFAULT, 2), NotConfigured)
    assert isinstance(POOL.restart(DEFAULT), NotConfigured)
