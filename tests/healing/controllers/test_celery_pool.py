"""The controller of our own workers where one does not do as it is told. The real thing is in tests/journeys/test_celery_pool.py."""

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed
from healing.controllers import celery_pool

pytestmark = pytest.mark.pure
POOL = controllers.get("healing.celery_pool")


@pytest.mark.parametrize(("answers", "kind", "told"), [(True, Done, [2, -2]), (False, Failed, [2])])
def test_a_pool_that_did_not_grow_is_not_shrunk(monkeypatch, settings, answers, kind, told):
    settings.REDIS_URL = "redis://localhost:1/0"
    asked = []

    def resize(worker, by):
        asked.append(by)
        return [{worker: {"ok": "done"} if answers else {"error": "it did not answer"}}]

    monkeypatch.setattr(celery_pool, "_pools", lambda queue: {"default-1@here": {"processes": [1, 2], "implementation": "prefork"}})
    monkeypatch.setattr(celery_pool, "_resize", resize)
    assert isinstance(POOL.restart({"queue": "default"}), kind)
    assert asked == told
