"""A real Redis on both stands."""

import os

import pytest

from tests.support import servers


@pytest.fixture(scope="session")
def redis_url():
    """That of the stand, or one that is started for these tests."""
    if url := os.environ.get("REDIS_URL", ""):
        yield url
        return
    with servers.running(database_url="none is wanted") as both:
        yield both.redis_url


@pytest.fixture
def real_redis(redis_url, settings):
    """The cache is in it."""
    settings.REDIS_URL = redis_url
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url, "KEY_PREFIX": "steward"}
    }
