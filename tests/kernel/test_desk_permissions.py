"""Roles: the strings, the groups, and who may do what (S1-88 to S1-91, C-12)."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.management import call_command
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from config.kernel.desk import permissions
from config.kernel.flow.errors import Forbidden, Unauthenticated
from config.kernel.models import ApiToken

pytestmark = pytest.mark.django_db

TEN = {
    "workflows:create",
    "workflows:execute",
    "workflows:delete",
    "workflows:view",
    "actions:execute_critical",
    "actions:execute_standard",
    "alerts:acknowledge",
    "alerts:view",
    "metrics:view",
    "system:admin",
}
OURS = {
    "rules:manage",
    "webhooks:view",
    "webhooks:manage",
    "healing:view",
    "healing:execute",
    "audit:view",
    "events:publish",
    "pipelines:report",
}


def member_of(group: str) -> User:
    user = User.objects.create_user(group)
    user.groups.add(Group.objects.get(name=group))
    return user


def test_the_strings_are_those_of_the_requirements_and_eight_of_ours():
    assert set(permissions.SCOPES) == TEN | OURS


def test_every_string_is_a_permission_row_after_migrating():
    rows = Permission.objects.filter(content_type__app_label="kernel", content_type__model="permission")
    assert set(rows.values_list("codename", flat=True)) == set(permissions.SCOPES)


@pytest.mark.parametrize(
    ("group", "must", "must_not"),
    [
        (
            "automation_viewer",
            {"workflows:view", "metrics:view", "alerts:view"},
            {"workflows:execute", "alerts:acknowledge", "webhooks:manage"},
        ),
        (
            "automation_operator",
            {"workflows:execute", "workflows:view", "actions:execute_standard", "alerts:acknowledge", "alerts:view"},
            {"workflows:create", "workflows:delete", "actions:execute_critical", "system:admin", "webhooks:manage"},
        ),
        ("automation_admin", TEN | OURS, set()),
    ],
)
def test_a_group_holds_what_the_requirements_say(group, must, must_not):
    held = permissions.held(member_of(group))
    assert must <= held
    assert not must_not & held


def test_the_groups_contain_each_other():
    viewer, operator, admin = (permissions.GROUPS[f"automation_{name}"] for name in ("viewer", "operator", "admin"))
    assert viewer < operator < admin


def test_setting_up_twice_changes_nothing():
    before = sorted(Group.objects.values_list("name", "permissions__codename"))
    assert permissions.set_up_roles(restore=True) == 0
    assert sorted(Group.objects.values_list("name", "permissions__codename")) == before


def test_migrating_leaves_what_a_person_took_away_and_the_command_brings_it_back(capsys):
    group = Group.objects.get(name="automation_operator")
    group.permissions.remove(Permission.objects.get(codename="workflows:execute"))
    permissions.set_up_roles()
    assert not group.permissions.filter(codename="workflows:execute").exists()
    call_command("setup_roles")
    assert "1 permissions were missing" in capsys.readouterr().out
    assert group.permissions.filter(codename="workflows:execute").exists()


def test_what_a_person_added_to_a_group_stays():
    group = Group.objects.get(name="automation_viewer")
    group.permissions.add(Permission.objects.get(codename="audit:view"))
    permissions.set_up_roles(restore=True)
    assert group.permissions.filter(codename="audit:view").exists()


def test_system_admin_implies_everything():
    user = User.objects.create_user("root-by-string")
    user.user_permissions.add(Permission.objects.get(codename="system:admin"))
    assert permissions.held(user) == set(permissions.SCOPES)


def test_a_superuser_may_do_everything(admin_user):
    assert permissions.held(admin_user) == set(permissions.SCOPES)


def test_an_inactive_user_may_nothing():
    user = member_of("automation_admin")
    user.is_active = False
    assert permissions.held(user) == frozenset()


def test_a_refusal_names_the_missing_permission_and_the_user():
    with pytest.raises(Forbidden, match=r"'workflows:create'.*'automation_viewer'"):
        permissions.ensure(member_of("automation_viewer"), "workflows:create")


def test_nobody_is_asked_to_log_in():
    with pytest.raises(Unauthenticated):
        permissions.ensure(AnonymousUser(), "workflows:view")


def request_of(user: User, token: ApiToken | None, method: str = "GET"):
    request = APIView().initialize_request(APIRequestFactory().generic(method, "/"))
    request.user, request.auth = user, token
    return request


@pytest.mark.parametrize(
    ("scopes", "asked", "allowed"),
    [
        (None, "webhooks:manage", True),
        (["webhooks:view"], "webhooks:view", True),
        (["webhooks:view"], "webhooks:manage", False),
        (["system:admin"], "webhooks:manage", True),
        ([], "webhooks:view", False),
    ],
)
def test_a_token_narrows_what_its_owner_may(admin_user, scopes, asked, allowed):
    token = ApiToken(name="t", owner=admin_user, scopes=scopes)
    assert permissions.may(request_of(admin_user, token), asked) is allowed


def test_a_token_never_has_more_than_its_owner_has_now():
    user = member_of("automation_viewer")
    token = ApiToken(name="t", owner=user, scopes=["webhooks:manage", "system:admin"])
    assert not permissions.may(request_of(user, token), "webhooks:manage")


class Declared(APIView):
    scopes = {"GET": "webhooks:view", "POST": "webhooks:manage"}

    def get(self, request): ...
    def post(self, request): ...
    def delete(self, request): ...


class Undeclared(APIView):
    def get(self, request): ...


def asks(view, user, method: str) -> bool:
    return permissions.HasScope().has_permission(request_of(user, None, method), view())


def test_a_view_asks_by_method():
    viewer = member_of("automation_viewer")
    assert asks(Declared, viewer, "GET")
    with pytest.raises(Forbidden, match="webhooks:manage"):
        asks(Declared, viewer, "POST")


def test_a_method_without_a_declared_permission_is_refused_even_to_a_superuser(admin_user):
    with pytest.raises(Forbidden, match="declares no permission"):
        asks(Declared, admin_user, "DELETE")


def test_a_view_that_declares_nothing_is_refused(admin_user):
    with pytest.raises(Forbidden, match="declares no permission"):
        asks(Undeclared, admin_user, "GET")


def test_a_method_that_the_view_does_not_have_is_left_to_its_405(admin_user):
    assert asks(Declared, admin_user, "PATCH")
