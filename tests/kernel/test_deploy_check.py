"""`check --deploy` names the doors that a trial opened."""

import pytest

from config.apps import check_open_doors

pytestmark = pytest.mark.pure


def test_an_installation_without_overrides_gets_no_warning(settings):
    settings.WEBHOOK_ALLOW_HTTP, settings.WEBHOOK_ALLOWED_NETWORKS = False, []
    assert check_open_doors() == []


def test_plain_http_and_private_networks_are_warned_of(settings):
    settings.WEBHOOK_ALLOW_HTTP, settings.WEBHOOK_ALLOWED_NETWORKS = True, ["10.0.0.0/8"]
    assert [warning.id for warning in check_open_doors()] == ["steward.W001", "steward.W002"]
    assert "10.0.0.0/8" in check_open_doors()[1].msg
