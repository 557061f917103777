"""The base of the admin pages: permission strings, read-only rows, deeds."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import path

from config.doors.admin import BaseAdmin, ReadOnlyAdmin, deed
from config.kernel.flow.errors import Conflict
from config.kernel.models import ApiToken, Lease, Option
from config.look.site import StewardAdmin

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

site = StewardAdmin(name="admin")
done: list[str] = []


def release(row):
    if row.name == "refused":
        raise Conflict("It is held by somebody.")
    if row.name == "broken":
        raise ZeroDivisionError
    if row.name == "idle":
        return False
    done.append(row.name)
    return True


@admin.register(Option, site=site)
class OptionAdmin(BaseAdmin):
    view_scope = "metrics:view"
    change_scope = "rules:manage"


@admin.register(Lease, site=site)
class LeaseAdmin(ReadOnlyAdmin):
    view_scope = "metrics:view"
    actions = [deed("Release now", release, scope="healing:execute")]


@admin.register(ApiToken, site=site)
class TokenAdmin(ReadOnlyAdmin):
    list_display = ["short_uid", "name"]


urlpatterns = [path("admin/", site.urls)]


def staff(group: str) -> Client:
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def chosen(client: Client, *names: str):
    rows = Lease.objects.bulk_create(Lease(name=name, token="t", until="2026-01-31T12:00:00Z") for name in names)
    answer = client.post("/admin/kernel/lease/", {"action": "release_now", "_selected_action": [row.pk for row in rows]})
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_seeing_asks_for_the_view_string_and_changing_for_the_other():
    Option.objects.create(name="A", value=1)
    viewer = staff("automation_viewer")
    assert viewer.get("/admin/kernel/option/").status_code == 200
    assert viewer.get("/admin/kernel/option/add/").status_code == 403
    assert staff("automation_admin").get("/admin/kernel/option/add/").status_code == 200


def test_what_a_person_may_not_see_is_neither_listed_nor_opened():
    viewer = staff("automation_viewer")
    assert b"apitoken" not in viewer.get("/admin/").content
    assert viewer.get("/admin/kernel/apitoken/").status_code == 403


def test_nothing_is_deleted_unless_a_page_says_so(admin_client):
    row = Option.objects.create(name="A", value=1)
    assert admin_client.get(f"/admin/kernel/option/{row.pk}/delete/").status_code == 403
    assert b"delete_selected" not in admin_client.get("/admin/kernel/option/").content


def test_read_only_rows_are_neither_added_nor_changed_by_anybody(admin_client):
    row = Lease.objects.create(name="A", token="t", until="2026-01-31T12:00:00Z")
    assert admin_client.get("/admin/kernel/lease/add/").status_code == 403
    assert admin_client.post(f"/admin/kernel/lease/{row.pk}/change/", {"name": "B"}).status_code == 403


def test_a_deed_is_offered_and_taken_only_with_its_string():
    viewer = staff("automation_viewer")
    Lease.objects.create(name="A", token="t", until="2026-01-31T12:00:00Z")
    assert b"release_now" not in viewer.get("/admin/kernel/lease/").content
    done.clear()
    chosen(viewer, "one")
    assert done == []


def test_a_deed_is_one_call_a_row_and_one_message_with_counts():
    done.clear()
    assert chosen(staff("automation_operator"), "one", "two") == ["Release now: 2 leases done."]
    assert sorted(done) == ["one", "two"]


def test_a_row_that_refuses_or_breaks_stops_no_other():
    done.clear()
    [said] = chosen(staff("automation_operator"), "refused", "broken", "idle", "one")
    assert done == ["one"]
    assert said.startswith("Release now: 1 lease done, 1 had nothing to do, 2 not possible.")
    assert "refused: It is held by somebody." in said
    assert "broken: It failed; the log says why." in said
    assert "ZeroDivision" not in said


def test_a_uid_is_shown_short_and_whole_on_hovering(admin_client, admin_user):
    token = ApiToken.objects.create(name="t", owner=admin_user, digest="d", hint="h")
    page = admin_client.get("/admin/kernel/apitoken/").content.decode()
    assert f'<span title="{token.uid}">tok_…{token.uid[-8:]}</span>' in page


def test_the_admin_pages_hold_under_the_strict_policy(admin_client):
    """No inline script, no inline handler, no inline style: the policy would stop them."""
    row = Option.objects.create(name="A", value=1)
    for where in ("", "kernel/option/", "kernel/option/add/", f"kernel/option/{row.pk}/change/", "kernel/lease/"):
        response = admin_client.get(f"/admin/{where}")
        page = response.content.decode()
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]
        assert not [
            tag for tag in page.split("<script")[1:] if "src=" not in tag.split(">")[0] and "application/json" not in tag.split(">")[0]
        ]
        assert "<style" not in page
        assert " onclick=" not in page
