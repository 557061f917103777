"""The action cleanup_cache on real files, real Redis keys and real sessions: what is 25 hours old goes, what is 23 hours old stays."""

import os
import socket
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache

from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, TemporaryError
from config.kernel.flow.outcomes import Done, NotConfigured, Refused
from config.kernel.watch.probes import redis_client
from tests.support.deeds import perform

KEY = "automation.cleanup_cache"


@pytest.fixture
def data_dir(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "data"
    for name in ("cache", "tmp"):
        (settings.DATA_DIR / name).mkdir(parents=True)
    return settings.DATA_DIR


def aged(path, hours, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    moment = (clock.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_files_past_the_age_go_and_younger_ones_stay(data_dir):
    old, young = aged(data_dir / "cache/pages/old.html", 25, 1000), aged(data_dir / "cache/pages/young.html", 23)
    done = perform(KEY, {"max_age_hours": 24, "cleanup_types": ["files"]})
    assert (old.exists(), young.exists()) == (False, True)
    assert isinstance(done, Done)
    assert (done.output["count"], done.output["bytes"]) == (1, 1000)
    assert done.output["removed"]["files"] == {"count": 1, "bytes": 1000, "skipped_count": 0, "skipped": []}


def test_temporary_files_are_a_kind_of_their_own(data_dir):
    cached, temporary = aged(data_dir / "cache/a", 25), aged(data_dir / "tmp/b", 25, 7)
    done = perform(KEY, {"cleanup_types": ["temp"]})
    assert (cached.exists(), temporary.exists()) == (True, False)
    assert (done.output["count"], done.output["bytes"]) == (1, 7)


def test_nothing_to_remove_is_a_success_with_zero(data_dir):
    (data_dir / "tmp").rmdir()
    done = perform(KEY, {"cleanup_types": ["files", "temp"]})
    assert isinstance(done, Done)
    assert (done.output["count"], done.output["bytes"]) == (0, 0)


def test_a_named_folder_that_is_not_there_is_told(data_dir, tmp_path, settings):
    settings.STEWARD_WRITABLE_ROOTS = [str(tmp_path / "logs")]
    aged(tmp_path / "logs/app.log", 25)
    named = [str(tmp_path / "logs/wrong"), str(tmp_path / "logs/app.log")]
    done = perform(KEY, {"cleanup_types": ["files"], "folders": named})
    assert done.output["removed"]["files"]["skipped"] == [{"what": one, "why": "no folder is there"} for one in named]


def test_links_are_not_followed_and_not_removed(data_dir, tmp_path):
    outside = aged(tmp_path / "outside/precious", 100)
    (data_dir / "cache/file").symlink_to(outside)
    (data_dir / "cache/folder").symlink_to(outside.parent)
    os.utime(data_dir / "cache/file", (0, 0), follow_symlinks=False)
    done = perform(KEY, {"cleanup_types": ["files"]})
    assert outside.exists()
    assert done.output["count"] == 0
    skipped = done.output["removed"]["files"]["skipped"]
    assert sorted((os.path.basename(one["what"]), one["why"]) for one in skipped) == [("file", "a link"), ("folder", "a link")]


def test_what_is_no_file_is_left_alone(data_dir):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(data_dir / "cache/s"))
        os.utime(data_dir / "cache/s", (0, 0))
        done = perform(KEY, {"cleanup_types": ["files"]})
    assert done.output["removed"]["files"]["skipped"][0]["why"] == "not a file"


def test_a_folder_inside_of_a_writable_root_may_be_named(data_dir, tmp_path, settings):
    settings.STEWARD_WRITABLE_ROOTS = [str(tmp_path / "exports")]
    old, other = aged(tmp_path / "exports/2024/a.csv", 25), aged(tmp_path / "exports/kept/b.csv", 25)
    cached = aged(data_dir / "cache/c", 25)
    perform(KEY, {"cleanup_types": ["files"], "folders": [str(tmp_path / "exports/2024")]})
    assert (old.exists(), other.exists(), cached.exists()) == (False, True, True)


@pytest.mark.parametrize("way", ["plain", "dots", "link"])
def test_a_folder_outside_of_the_roots_is_refused_and_nothing_is_removed(data_dir, tmp_path, settings, way):
    settings.STEWARD_WRITABLE_ROOTS = [str(tmp_path / "exports")]
    outside, cached = aged(tmp_path / "private/a", 25), aged(data_dir / "cache/c", 25)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/link").symlink_to(tmp_path / "private")
    folder = {"plain": "private", "dots": "exports/../private", "link": "exports/link"}[way]
    refused = perform(KEY, {"cleanup_types": ["files", "temp"], "folders": [str(tmp_path / folder)]})
    assert isinstance(refused, Refused)
    assert "STEWARD_WRITABLE_ROOTS" in refused.reason
    assert (outside.exists(), cached.exists()) == (True, True)


def test_a_link_put_in_place_of_a_folder_meanwhile_is_not_followed(data_dir, tmp_path, settings, monkeypatch):
    """The look that found the folder inside of the root is one moment, opening it another."""
    from automation.services.effects.cleanup import files

    settings.STEWARD_WRITABLE_ROOTS = [str(tmp_path / "exports")]
    precious = aged(tmp_path / "private/a", 25)
    (tmp_path / "exports/a").mkdir(parents=True)
    look = files.allowed

    def look_then_swap(folder):
        found = look(folder)
        if (tmp_path / "exports/a").is_dir() and not (tmp_path / "exports/a").is_symlink():
            (tmp_path / "exports/a").rmdir()
            (tmp_path / "exports/a").symlink_to(tmp_path / "private")
        return found

    monkeypatch.setattr(files, "allowed", look_then_swap)
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        files.clean_folders([str(tmp_path / "exports/a")], before=clock.now())
    assert precious.exists()


@pytest.mark.django_db
def test_sessions_that_ran_out_go(data_dir):
    ended, going = SessionStore(), SessionStore()
    for session, hours in ((ended, -1), (going, 1)):
        session["user"] = "x"
        session.set_expiry(clock.now() + timedelta(hours=hours))
        session.save()
    done = perform(KEY, {"cleanup_types": ["sessions"]})
    assert list(Session.objects.values_list("pk", flat=True)) == [going.session_key]
    assert done.output["count"] == 1
    assert done.output["bytes"] > 0


def test_without_redis_its_kind_is_not_configured_and_the_rest_is_done(data_dir, settings):
    settings.REDIS_URL = ""
    old = aged(data_dir / "cache/a", 25)
    assert isinstance(perform(KEY, {"cleanup_types": ["redis"]}), NotConfigured)
    done = perform(KEY, {"cleanup_types": ["redis", "files"]})
    assert not old.exists()
    assert "REDIS_URL" in done.output["not_configured"]["redis"]


@pytest.mark.parametrize(
    ("params", "named"),
    [({"cleanup_types": ["everything"]}, "cleanup_types"), ({"max_age_hours": -1}, "max_age_hours"), ({"path": "/"}, "path")],
)
def test_wrong_parameters_are_refused_by_name(params, named):
    with pytest.raises(InvalidInput) as caught:
        perform(KEY, params)
    assert named in caught.value.fields


# --- Redis ------------------------------------------------------------------------------------


def age_key(client, name, hours):
    """The same value, last asked for so long ago."""
    client.restore(name, 0, client.dump(name), replace=True, idletime=int(hours * 3600))


@pytest.mark.usefixtures("real_redis")
def test_keys_of_the_cache_that_nobody_asked_for_go():
    with redis_client() as client:
        cache.set("old", "x" * 5000)
        cache.set("young", "y")
        client.rpush("g-test-queue", "a message of the broker")
        client.set("steward:nudge:g-test", 1)
        for name, hours in ((cache.make_key("old"), 25), (cache.make_key("young"), 23), ("g-test-queue", 99), ("steward:nudge:g-test", 99)):
            age_key(client, name, hours)
        done = perform(KEY, {"max_age_hours": 24, "cleanup_types": ["redis"]})
        assert done.output["removed"]["redis"]["count"] == 1
        assert done.output["bytes"] >= 5000
        assert (cache.get("old"), cache.get("young")) == (None, "y")
        assert client.delete("g-test-queue", "steward:nudge:g-test") == 2, "what is not of the cache stays"


@pytest.mark.usefixtures("real_redis")
def test_where_redis_keeps_no_times_nothing_goes_and_the_reason_is_told():
    with redis_client() as client:
        cache.set("one", 1)
        before = client.config_get("maxmemory-policy")["maxmemory-policy"]
        client.config_set("maxmemory-policy", "allkeys-lfu")
        try:
            done = perform(KEY, {"max_age_hours": 0, "cleanup_types": ["redis"]})
        finally:
            client.config_set("maxmemory-policy", before)
        assert done.output["count"] == 0
        assert "does not tell its age" in done.output["removed"]["redis"]["skipped"][0]["why"]
        assert cache.get("one") == 1


def test_while_redis_is_away_it_is_tried_again(settings):
    from tests.support.receivers import refused_port

    settings.REDIS_URL, settings.REDIS_PASSWORD = f"redis://127.0.0.1:{refused_port()}/0", ""
    with pytest.raises(TemporaryError, match="Redis did not answer"):
        perform(KEY, {"cleanup_types": ["redis"]})
