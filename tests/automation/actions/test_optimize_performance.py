"""What tuning does to the database and the cache, seen from outside."""

import pytest
from django.core.cache import cache
from django.db import connection

from automation.services.effects import connections, pools, tuning
from config.kernel.flow.outcomes import Done, NotConfigured
from config.kernel.watch.probes import redis_client
from tests.support.deeds import perform
from tests.support.factories import EventFactory
from tests.support.receivers import refused_port

KEY = "automation.optimize_performance"


@pytest.mark.django_db(transaction=True)
def test_the_database_has_fresh_statistics():
    EventFactory.create_batch(20)
    before = analysed()
    done = perform(KEY, {"optimization_targets": ["database"]})
    assert isinstance(done, Done)
    [result] = done.output["results"]
    assert (result["name"], result["status"], result["output"]["did"]) == ("database", "done", "ANALYZE")
    assert result["output"]["tables"] > 0
    assert analysed() != before


def analysed():
    """When PostgreSQL says that it looked at the events last; what SQLite knows of them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 'kernel_event'")
            return cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'kernel_event' ORDER BY 1")
        return cursor.fetchall()


def test_without_redis_there_is_no_cache_to_tune(settings):
    settings.REDIS_URL = ""
    found = perform(KEY, {"optimization_targets": ["cache", "workers"]})
    assert isinstance(found, NotConfigured)
    assert "REDIS_URL" in found.what


@pytest.mark.django_db
def test_a_target_that_is_not_configured_makes_it_no_success(settings):
    settings.REDIS_URL = ""
    failed = perform(KEY, {"optimization_targets": ["database", "cache"]})
    assert failed.code == "not_all_done"
    assert "Done: database" in failed.message


@pytest.mark.django_db
def test_connections_that_redis_did_not_close_are_no_success(settings, monkeypatch):
    settings.REDIS_URL, settings.REDIS_PASSWORD = f"redis://127.0.0.1:{refused_port()}/0", ""
    monkeypatch.setattr(pools, "renew", lambda: NotConfigured("no pool here"))
    failed = perform(KEY, {"optimization_targets": ["connections"]})
    assert (failed.code, "Redis did not close our connections" in failed.message) == ("not_all_done", True)
    watched = connections.reset({**connections.ask(), "database": []})
    assert (watched.code, watched.output["redis"]) == ("redis", {"error": watched.message})


@pytest.mark.usefixtures("real_redis")
def test_the_cache_loses_what_nobody_asks_for():
    cache.set("g-old", "x")
    with redis_client() as client:
        name = cache.make_key("g-old")
        client.restore(name, 0, client.dump(name), replace=True, idletime=2 * 86400)
    cache.set("g-new", "x")
    found = tuning.tune("cache")
    assert (found["status"], found["output"]["count"]) == ("done", 1)
    assert found["output"]["memory_after"] > 0
    assert (cache.get("g-old"), cache.get("g-new")) == (None, "x")
