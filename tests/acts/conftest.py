"""People whom the tests of acts share."""

import pytest
from django.contrib.auth.models import Group, User

from config.kernel.desk import permissions
from tests.support.factories import UserFactory


@pytest.fixture
def operator():
    """May run standard actions only."""
    return _person("olga", "automation_operator")


@pytest.fixture
def viewer():
    """May look."""
    return _person("vera", "automation_viewer")


def _person(name: str, role: str) -> User:
    permissions.set_up_roles()
    user = UserFactory(username=name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user
