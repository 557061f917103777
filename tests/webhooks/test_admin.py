"""The admin: every page opens for those who may, every action is one service call, forms refuse with a sentence and keep what was typed."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from config.kernel.desk import tokens
from config.kernel.flow import clock
from config.kernel.models import ApiToken, AuditRecord, EventType, Option, RouteFailure
from config.kernel.watch import notifications
from tests.support.factories import DeliveryFactory, EndpointFactory, EventFactory, ReceiptFactory, SourceFactory
from webhooks.enums import DeliveryStatus
from webhooks.models import Delivery, Endpoint, Source
from webhooks.services import replay

pytestmark = pytest.mark.django_db

OURS = [model for label in ("kernel", "webhooks") for model in apps.get_app_config(label).get_models() if model._meta.managed]


def person(role=None, *, is_superuser=False):
    user = User.objects.create_user(f"p-{role}", password="x", is_staff=True, is_superuser=is_superuser)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss():
    return person("automation_admin")


def page(model, kind, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_model_is_registered_and_its_list_opens(model, boss):
    assert model in admin.site._registry
    EventFactory()
    DeliveryFactory()
    ReceiptFactory()
    assert boss.get(page(model, "changelist")).status_code == 200


def test_a_change_to_users_and_roles_leaves_an_audit_record_without_values(boss):
    role = Group.objects.create(name="night shift")
    boss.post(page(Group, "change", role.pk), {"name": "day shift"})
    boss.post(
        page(User, "add"), {"username": "mira", "usable_password": "true", "password1": "a-long-secret-7", "password2": "a-long-secret-7"}
    )
    mira = User.objects.get(username="mira")
    boss.post(
        reverse("admin:auth_user_password_change", args=[mira.pk]),
        {"usable_password": "true", "password1": "Zx9-rhubarb", "password2": "Zx9-rhubarb"},
    )
    boss.post(page(Group, "delete", role.pk), {"post": "yes"})
    told = list(AuditRecord.objects.filter(actor="p-automation_admin").order_by("id").values_list("action", "detail__name"))
    assert told == [("group.changed", "day shift"), ("user.created", "mira"), ("user.changed", "mira"), ("group.deleted", "day shift")]
    assert "rhubarb" not in str(list(AuditRecord.objects.values_list("detail", flat=True)))


def test_one_row_of_everything_opens(boss):
    for row in (EventFactory(), DeliveryFactory(), ReceiptFactory(), EndpointFactory(), SourceFactory()):
        assert boss.get(page(type(row), "change", row.pk)).status_code == 200


FORM = {
    "url": "https://receiver.example/hook",
    "events": "video.failed",
    "filter_conditions": "{}",
    "security": "hmac_sha256",
    "headers": "",
    "retry_strategy": "exponential",
    "retry_max_delay_seconds": "86400",
    "retry_jitter": "0",
    "retry_schedule": "",
    "batch_size": "100",
    "batch_max_wait_seconds": "5",
}


def test_an_endpoint_is_made_by_the_service_and_its_secret_shown_once(boss):
    answer = boss.post(page(Endpoint, "add"), FORM, follow=True)
    endpoint = Endpoint.living.get()
    assert endpoint.secret in answer.content.decode().replace("&#x27;", "'")
    assert endpoint.secret not in boss.get(page(Endpoint, "change", endpoint.pk)).content.decode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "http://receiver.example/"}, "https"),
        ({"events": "video.failed\nnope.x"}, "nope.x"),
        ({"filter_conditions": '{"a": {"$foo": 1}}'}, "$foo"),
    ],
)
def test_a_bad_endpoint_is_refused_beside_its_field_and_what_was_typed_stays(boss, change, sentence):
    answer = boss.post(page(Endpoint, "add"), {**FORM, "description": "typed by hand", **change})
    assert answer.status_code == 200
    text = answer.content.decode()
    assert sentence in text
    assert "typed by hand" in text
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence", "field"),
    [
        ({"filter_conditions": '{"amount": 5,\n "country" "DE"}'}, "at line 2, column 12", "filter_conditions"),
        ({"filter_conditions": "[1]"}, "must be a JSON object", "filter_conditions"),
        ({"filter_conditions": "[" * 5000}, "depth limit", "filter_conditions"),
        ({"filter_conditions": '{"a": NaN}'}, "not JSON", "filter_conditions"),
        ({"filter_conditions": '{"a": "\\u0000"}'}, "NUL character", "filter_conditions"),
        ({"events": "nope.*"}, "No event type begins with &#x27;nope.&#x27;", "events"),
        ({"retry_schedule": "0, soon"}, "whole numbers of seconds", "retry_schedule"),
        ({"headers": "no colon"}, "is no header", "headers"),
        ({"new_secret": "whsec_x"}, "base64", "new_secret"),
        ({"id_of_yours": "test"}, "reserved", "id_of_yours"),
    ],
)
def test_each_mistake_of_an_endpoint_is_said_beside_its_field(boss, change, sentence, field):
    answer = boss.post(page(Endpoint, "add"), {**FORM, **change})
    assert answer.status_code == 200
    assert sentence in str(answer.context["adminform"].form.errors.get(field))
    assert not Endpoint.objects.exists()


def test_lists_are_typed_a_line_each_and_wildcards_are_taken(boss):
    typed = {"events": "video.*\r\n\r\n*", "retry_strategy": "schedule", "retry_schedule": "0, 60", "asymmetric": "on"}
    boss.post(page(Endpoint, "add"), {**FORM, **typed, "filter_conditions": '{"a": {"$gt": 1}}'})
    made = Endpoint.living.get()
    assert (made.events, made.retry_schedule, made.filter_conditions) == (["video.*", "*"], [0, 60], {"a": {"$gt": 1}})
    assert made.signing_key
    text = boss.get(page(Endpoint, "change", made.pk)).content.decode()
    assert "video.*\n*</textarea>" in text
    assert "{\n  &quot;a&quot;: {\n    &quot;$gt&quot;: 1\n  }\n}</textarea>" in text
    assert "id_of_yours" not in text
    boss.post(page(Endpoint, "change", made.pk), {**FORM, **typed})
    assert Endpoint.living.get().signing_key == made.signing_key


def test_an_event_type_is_checked_against_its_schema_and_shown_indented(boss):
    typed = {"name": "order.paid", "schema": '{"required": ["total"]}', "example": "{}"}
    refused = boss.post(page(EventType, "add"), typed)
    assert "required property" in str(refused.context["adminform"].form.errors["example"])
    boss.post(page(EventType, "add"), {**typed, "example": '{"total": 9}'})
    made = EventType.objects.get(name="order.paid")
    assert (made.example, made.schema) == ({"total": 9}, {"required": ["total"]})
    boss.post(page(EventType, "change", made.pk), {"schema": "", "example": ""})
    made.refresh_from_db()
    assert (made.example, made.schema) == (None, None)
    ours = boss.get(page(EventType, "change", EventType.objects.get(name="video.failed").pk)).content.decode()
    assert '<pre class="json">{\n' in ours


def test_changing_and_deleting_go_through_the_service(boss):
    endpoint = EndpointFactory()
    boss.post(page(Endpoint, "change", endpoint.pk), {**FORM, "description": "changed"})
    assert Endpoint.living.get().description == "changed"
    boss.post(page(Endpoint, "delete", endpoint.pk), {"post": "yes"})
    assert not Endpoint.living.exists()
    assert Endpoint.objects.get().deleted_at is not None


@pytest.mark.parametrize("role", ["automation_viewer", "automation_admin"])
def test_values_of_extra_headers_are_shown_to_nobody(role):
    endpoint = EndpointFactory(headers={"X-Functions-Key": "opens-the-door"})
    answer = person(role).get(page(Endpoint, "change", endpoint.pk))
    assert answer.status_code == 200
    assert "opens-the-door" not in answer.content.decode()


def test_a_header_that_is_left_masked_keeps_its_value(boss):
    endpoint = EndpointFactory(headers={"X-Functions-Key": "opens-the-door"})
    boss.post(page(Endpoint, "change", endpoint.pk), {**FORM, "headers": "X-Functions-Key: ********\nX-Team: blue"})
    assert Endpoint.living.get().headers == {"X-Functions-Key": "opens-the-door", "X-Team": "blue"}


def test_actions_are_one_service_call_per_row_and_one_message(boss):
    delivery = DeliveryFactory(status=DeliveryStatus.DEAD)
    answer = boss.post(page(Delivery, "changelist"), {"action": "send_again", "_selected_action": [delivery.pk]}, follow=True)
    assert Delivery.objects.get().status == DeliveryStatus.PENDING
    assert "1 delivery done" in answer.content.decode()


def rows():
    """One row of each model whose list offers actions."""
    endpoint = EndpointFactory()
    event = EventFactory()
    RouteFailure.objects.create(event=event, subscriber="webhooks", error="it broke", next_attempt_at=clock.now())
    tokens.create(User.objects.get(username="p-automation_admin"), name="ci")
    notifications.notify("Look at this")
    replay.start(endpoint, since=clock.now() - timedelta(days=1))
    DeliveryFactory(ended="dead", endpoint=endpoint)
    ReceiptFactory(source=SourceFactory(), event=event)
    return {model: model.objects.earliest("pk") for model in OURS if admin.site._registry[model].actions}


def test_every_action_of_every_list_runs_and_says_what_became_of_it(boss):
    ran = []
    for model, row in rows().items():
        listed = admin.site._registry[model]
        for _, name, _ in filter(None, map(listed.get_action, listed.actions)):
            answer = boss.post(page(model, "changelist"), {"action": name, "_selected_action": [row.pk]}, follow=True)
            said = [str(message) for message in answer.context["messages"]]
            assert answer.status_code == 200
            assert said
            assert "the log says why" not in said[0]
            ran.append(name)
    assert len(ran) > 15


def test_a_source_is_made_and_paused(boss):
    boss.post(page(Source, "add"), {"slug": "shop", "preset": "hmac", "config": "{}"})
    source = Source.living.get(slug="shop")
    boss.post(page(Source, "changelist"), {"action": "pause", "_selected_action": [source.pk]})
    assert Source.living.get(slug="shop").status == "paused"


def test_the_secret_of_a_source_is_not_shown_again(boss):
    source = SourceFactory(secret="a-secret-of-github")
    for kind, args in (("changelist", ()), ("change", (source.pk,))):
        assert "a-secret-of-github" not in boss.get(page(Source, kind, *args)).content.decode()


def test_a_token_is_shown_once_and_an_option_is_checked(boss):
    owner = User.objects.get(username="p-automation_admin")
    answer = boss.post(page(ApiToken, "add"), {"name": "ci", "owner": owner.pk, "scopes": ["webhooks:view"]}, follow=True)
    assert "stw_" in answer.content.decode()
    assert ApiToken.objects.get().scopes == ["webhooks:view"]
    assert boss.post(page(Option, "add"), {"name": "WEBHOOK_MAX_TIMEOUT", "value": "a lot"}).status_code == 200
    assert not Option.objects.exists()
    boss.post(page(Option, "add"), {"name": "WEBHOOK_MAX_TIMEOUT", "value": "10"})
    assert Option.objects.get().value == 10


def test_a_viewer_sees_endpoints_and_does_nothing_to_them():
    viewer, endpoint = person("automation_viewer"), EndpointFactory()
    assert viewer.get(page(Endpoint, "changelist")).status_code == 200
    assert viewer.get(page(Endpoint, "add")).status_code == 403
    viewer.post(page(Endpoint, "changelist"), {"action": "pause", "_selected_action": [endpoint.pk]})
    assert Endpoint.living.get().status == "active"
    assert viewer.post(page(Endpoint, "delete", endpoint.pk), {"post": "yes"}).status_code == 403


def test_without_any_role_nothing_is_seen():
    assert person().get(page(Endpoint, "changelist")).status_code == 403


def test_the_list_of_endpoints_shows_nothing_that_lets_somebody_in(client, admin_user):
    EndpointFactory(url="https://receiver.example/hook?token=hush-hush-hush", description="Shop")
    client.force_login(admin_user)
    shown = client.get(reverse("admin:webhooks_endpoint_changelist")).content.decode()
    assert "Shop" in shown
    assert "hush-hush" not in shown
