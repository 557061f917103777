"""The base of the API: JSON, pages, errors, limits, idempotency and its OpenAPI document."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import orjson
import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection
from django.http import Http404
from django.test import Client
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from config.doors import api as desk
from config.doors import problems, throttles
from config.kernel.desk import options, tokens
from config.kernel.flow import events
from config.kernel.flow.errors import Conflict, InvalidInput, TemporaryError
from config.kernel.language import json_text
from config.kernel.limits import ratelimit
from config.kernel.models import Event, IdempotencyKey, Option
from config.kernel.wire import crypto

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

AT = datetime(2026, 1, 31, 12, 0, 0, 250999, tzinfo=UTC)
RAISES = {
    "conflict": Conflict("It exists already."),
    "fields": InvalidInput("Wrong.", fields={"url": ["Not a URL."]}),
    "temporary": TemporaryError("Busy.", retry_after_seconds=2.1),
    "nested": serializers.ValidationError({"rows": [{}, {"url": ["Bad."]}], "non_field_errors": ["Both."]}),
    "missing": Http404("x"),
    "database": OperationalError("secret host is away"),
}


class OptionRow(desk.ModelSerializer):
    class Meta:
        model = Option
        fields = ["name", "value", "changed_at"]


class Rows(desk.Collection):
    """Rows of options."""

    scope = "webhooks:view"
    queryset = Option.objects.order_by("name")
    serializer_class = OptionRow


class Echo(desk.View):
    scopes = {"GET": "webhooks:view", "POST": "webhooks:manage"}
    throttle_kind = "manage"
    schema_tags = ["echo"]
    serializer_class = OptionRow

    def get(self, request, uid=""):
        return Response({"at": AT, "amount": Decimal("1.50"), "uid": uid, "actor": request.user.username})

    def post(self, request, uid=""):
        return Response(request.data, status=201)


class Either(desk.View):
    scope = "webhooks:manage"
    body_types = (dict, list)

    def post(self, request):
        return Response(request.data)


class Raises(desk.View):
    scope = "webhooks:view"

    def get(self, request, which):
        raise RAISES[which]


class Starts(desk.IdempotencyKey, desk.View):
    scope = "webhooks:manage"

    def post(self, request):
        if request.data.get("fail"):
            Option.objects.create(name="half-done", value=1)
            raise Conflict("Not now.")
        Option.objects.create(name=f"started-{Option.objects.count()}", value=1)
        return Response({"started": Option.objects.count(), "secret": "whsec_once"}, status=202)


class Public(desk.View):
    permission_classes = [AllowAny]
    throttle_classes = []

    def get(self, request):
        return Response({})


class Breaks(desk.View):
    scope = "webhooks:view"

    def get(self, request):
        raise ZeroDivisionError


urlpatterns = [
    path("api/rows", Rows.as_view()),
    path("api/echo", Echo.as_view()),
    path("api/echo/<str:uid>", Echo.as_view()),
    path("api/either", Either.as_view()),
    path("api/raises/<str:which>", Raises.as_view()),
    path("api/starts", Starts.as_view()),
    path("api/public", Public.as_view()),
    path("api/breaks", Breaks.as_view()),
]
handler400, handler404 = problems.bad_request, problems.page_not_found
handler403, handler500 = problems.permission_denied, problems.server_error


def client_of(user: User, scopes: list[str] | None = None) -> Client:
    return Client(headers={"Authorization": f"Bearer {tokens.create(user, scopes=scopes)[1]}"}, raise_request_exception=False)


@pytest.fixture
def client(admin_user) -> Client:
    return client_of(admin_user)


def post(client, where, body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(where, raw, content_type="application/json", headers=headers)


def test_times_are_utc_with_milliseconds_and_z(client):
    Option.objects.create(name="A", value=1, changed_at=AT)
    assert client.get("/api/echo").json()["at"] == "2026-01-31T12:00:00.250Z"
    assert client.get("/api/rows").json()["results"][0]["changed_at"] == "2026-01-31T12:00:00.250Z"


def test_times_do_not_depend_on_the_zone_of_schedules(client, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    Option.objects.create(name="A", value=1, changed_at=AT)
    assert client.get("/api/rows").json()["results"][0]["changed_at"] == "2026-01-31T12:00:00.250Z"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.1", "nonsense"])
def test_json_is_answered_whatever_is_asked_for(client, accept):
    response = client.get("/api/echo?format=xml", headers={"Accept": accept})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_pages_are_of_fifty_and_do_not_overlap(client):
    Option.objects.bulk_create(Option(name=f"{number:03d}", value=1) for number in range(120))
    first = client.get("/api/rows").json()
    second = client.get("/api/rows?limit=50&offset=50").json()
    assert set(first) == {"count", "next", "previous", "results"}
    assert (first["count"], len(first["results"])) == (120, 50)
    assert "offset=50" in first["next"]
    assert not {row["name"] for row in first["results"]} & {row["name"] for row in second["results"]}


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=abc", "limit=1001", "limit=0", "limit=", "limit=٣", "offset=-1", "offset=1e3", "offset=99999999999999"]
)
def test_a_wrong_page_is_refused_with_a_sentence(client, query):
    response = client.get(f"/api/rows?{query}")
    assert response.status_code == 400
    assert "must be a whole number from" in response.json()["detail"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1,}', "trailing comma"),
        (b'{"a":\n nonsense}', "line 2, column 2"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[1]", "must be an object, not a list"),
        (b"null", "not null"),
        (b"3", "not a number"),
        (b'{"a": {"b": ["\\u0000"]}}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
    ],
)
def test_a_body_that_cannot_be_taken_says_why(client, raw, said):
    response = post(client, "/api/echo", raw)
    assert response.status_code == 400
    assert said in response.json()["detail"]


def test_an_escaped_backslash_before_u0000_is_no_nul(client):
    assert post(client, "/api/echo", b'{"a": "\\\\u0000"}').json() == {"a": "\\u0000"}


def test_a_view_may_take_lists(client):
    assert post(client, "/api/either", [1]).json() == [1]
    assert post(client, "/api/either", 1).status_code == 400


def test_a_body_over_the_cap_is_413(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = post(client, "/api/echo", {"a": "x" * 200})
    assert (response.status_code, response["Content-Type"]) == (413, "application/problem+json")


def test_another_media_type_is_415(client):
    response = client.post("/api/echo", "a=1", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response["Content-Type"]) == (415, "application/problem+json")


@pytest.mark.parametrize("where", ["/api/echo/a%00b", "/api/rows?name=%00"])
def test_a_nul_in_the_address_is_400(client, where):
    assert client.get(where).status_code == 400


@pytest.mark.parametrize(
    ("which", "status"), [("conflict", 409), ("fields", 400), ("temporary", 503), ("nested", 400), ("missing", 404), ("database", 503)]
)
def test_every_error_has_the_one_shape_and_the_correlation_id(client, which, status):
    response = client.get(f"/api/raises/{which}", headers={"X-Correlation-ID": "abc"})
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "correlation_id"}
    assert (body["status"], body["correlation_id"], response["X-Correlation-ID"]) == (status, "abc", "abc")
    assert "secret host" not in body["detail"]


def test_errors_of_fields_are_named_by_dotted_path(client):
    assert client.get("/api/raises/nested").json()["errors"] == {"rows.1.url": ["Bad."], "body": ["Both."]}
    assert client.get("/api/raises/fields").json()["errors"] == {"url": ["Not a URL."]}


def test_what_may_work_later_says_when(client):
    assert client.get("/api/raises/temporary")["Retry-After"] == "3"
    assert client.get("/api/raises/database")["Retry-After"] == "5"


def test_a_mistake_of_ours_is_a_500_that_tells_nothing_but_the_correlation_id(client):
    response = client.get("/api/breaks", headers={"X-Correlation-ID": "abc"})
    assert (response.status_code, response["Content-Type"]) == (500, "application/problem+json")
    assert response.json()["correlation_id"] == "abc"
    assert "ZeroDivision" not in response.content.decode()


def test_an_unknown_address_is_json_for_programs_and_a_page_for_people(client):
    assert client.get("/api/nothing")["Content-Type"] == "application/problem+json"
    assert client.get("/nothing", headers={"Accept": "application/json"})["Content-Type"] == "application/problem+json"
    page = client.get("/nothing", headers={"Accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_error_page_that_cannot_be_drawn_is_three_plain_lines(client, monkeypatch):
    monkeypatch.setattr("django.template.loader.render_to_string", lambda *_: 1 / 0)
    page = client.get("/nothing", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert b"Correlation id" in page.content


def test_without_credentials_401_names_the_scheme():
    response = Client().get("/api/rows")
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert "Bearer <token>" in response.json()["detail"]


def test_a_wrong_token_is_401():
    assert Client(headers={"Authorization": "Bearer stw_wrong"}).get("/api/rows").status_code == 401


def test_too_little_is_403_and_names_what_is_missing(admin_user):
    response = post(client_of(admin_user, ["webhooks:view"]), "/api/echo", {})
    assert response.status_code == 403
    assert "'webhooks:manage'" in response.json()["detail"]


@pytest.mark.parametrize("method", ["options", "patch", "delete", "trace"])
def test_a_method_that_is_not_there_is_405(client, method):
    response = getattr(client, method)("/api/rows")
    assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")


def test_a_session_needs_the_csrf_token(admin_user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    assert browser.get("/api/echo").json()["actor"] == "admin"
    assert post(browser, "/api/echo", {}).status_code == 403


def test_a_public_view_asks_for_nothing():
    assert Client().get("/api/public").status_code == 200


# --- limits (S0-36, S0-25) ---


@pytest.fixture
def limited(admin_user) -> Client:
    """A user of a name and id of their own: buckets may be in a Redis that outlives the test."""
    user = User.objects.create_user("lim", id=int(datetime.now(UTC).timestamp() * 1000) % 2**31)
    user.groups.add(Group.objects.get(name="automation_admin"))
    options.set("API_RATE_MANAGE_PER_MINUTE", 5)
    return client_of(user)


def test_the_sixth_change_in_a_minute_is_429_with_retry_after(limited):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        assert [post(limited, "/api/echo", {}).status_code for _ in range(6)] == [201] * 5 + [429]
        refused = post(limited, "/api/echo", {})
        assert refused["Retry-After"] == "12"
        assert "5 calls" in refused.json()["detail"]
        assert limited.get("/api/echo").status_code == 200
        moment.shift(12)
        assert post(limited, "/api/echo", {}).status_code == 201


def test_an_exceeded_quota_is_one_event_a_minute(limited):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        for _ in range(9):
            post(limited, "/api/echo", {})
        [event] = Event.objects.filter(type="user.quota_exceeded")
        assert event.data == {
            "user_id": str(User.objects.get(username="lim").pk),
            "quota_type": "api_manage_per_minute",
            "current_usage": 5,
        }
        throttles.forget()
        post(limited, "/api/echo", {})
        assert Event.objects.filter(type="user.quota_exceeded").count() == 1
        moment.shift(60)
        for _ in range(9):
            post(limited, "/api/echo", {})
        assert Event.objects.filter(type="user.quota_exceeded").count() == 2


def test_a_failure_to_announce_is_still_a_429(limited, monkeypatch):
    monkeypatch.setattr(events, "publish", lambda *_, **__: 1 / 0)
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        assert [post(limited, "/api/echo", {}).status_code for _ in range(6)][-1] == 429


def test_a_generous_limit_costs_one_shared_write_in_a_hundredth_of_it(limited, monkeypatch):
    takes = []

    def take_many(key, wanted, **_):
        takes.append(key)
        return wanted

    monkeypatch.setattr(ratelimit, "take_many", take_many)
    for _ in range(100):
        limited.get("/api/echo")
    assert len(takes) == 2


# --- idempotency ---


def test_the_same_key_starts_once_and_gets_the_same_answer(client):
    first = post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
    again = post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Option.objects.count() == 1


def test_the_kept_answer_is_encrypted_because_it_may_show_a_secret(client):
    first = post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
    kept = IdempotencyKey.objects.get().body
    assert kept
    assert not any(str(value) in kept for value in first.json().values() if len(str(value)) > 3)
    assert crypto.decrypt(kept).encode() == first.content


def test_without_a_key_every_post_starts(client):
    for _ in range(2):
        post(client, "/api/starts", {})
    assert Option.objects.count() == 2


def test_the_same_key_with_another_body_is_409(client):
    post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
    response = post(client, "/api/starts", {"a": 2}, **{"Idempotency-Key": "k1"})
    assert (response.status_code, response.json()["type"]) == (409, "urn:steward:problem:idempotency_key_reused")


def test_a_key_in_progress_is_409_until_its_claim_ends(client):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
        IdempotencyKey.objects.update(status_code=None)
        response = post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"})
        assert (response.status_code, response.json()["type"]) == (409, "urn:steward:problem:idempotency_in_progress")
        moment.shift(121)
        assert post(client, "/api/starts", {"a": 1}, **{"Idempotency-Key": "k1"}).status_code == 202


def test_a_failed_deed_leaves_nothing_and_may_be_tried_again(client):
    assert post(client, "/api/starts", {"fail": True}, **{"Idempotency-Key": "k1"}).status_code == 409
    assert not Option.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_a_key_is_forgotten_after_a_day(client):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        post(client, "/api/starts", {}, **{"Idempotency-Key": "k1"})
        moment.shift(86400)
        assert "Idempotent-Replayed" not in post(client, "/api/starts", {}, **{"Idempotency-Key": "k1"})


def test_keys_of_two_users_do_not_meet(client):
    other = User.objects.create_user("other", is_superuser=True)
    post(client, "/api/starts", {}, **{"Idempotency-Key": "k1"})
    assert "Idempotent-Replayed" not in post(client_of(other), "/api/starts", {}, **{"Idempotency-Key": "k1"})


@pytest.mark.parametrize("key", ["", "two words", "x" * 201])
def test_a_key_that_cannot_be_kept_is_400(client, key):
    assert post(client, "/api/starts", {}, **{"Idempotency-Key": key}).status_code == 400


def test_the_stored_answer_is_encrypted(client):
    post(client, "/api/starts", {}, **{"Idempotency-Key": "k1"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM kernel_idempotencykey")
        assert "whsec_once" not in cursor.fetchone()[0]


# --- OpenAPI ---


@pytest.fixture
def document() -> dict:
    return SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)


@pytest.mark.parametrize(
    ("method", "where", "errors"),
    [
        ("get", "/api/rows", {"400", "401", "403", "429", "503"}),
        ("get", "/api/echo/{uid}", {"400", "401", "403", "404", "429", "503"}),
        ("post", "/api/echo", {"400", "401", "403", "409", "413", "415", "429", "503"}),
        ("get", "/api/public", {"400", "503"}),
    ],
)
def test_every_operation_declares_the_errors_it_can_give(document, method, where, errors):
    operation = document["paths"][where][method]
    assert {status for status in operation["responses"] if status >= "400"} == errors
    assert operation["responses"]["400"]["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_document_has_the_bearer_scheme_the_problem_and_the_tags(document):
    assert document["components"]["securitySchemes"]["Bearer"] == {"type": "http", "scheme": "bearer"}
    assert "correlation_id" in document["components"]["schemas"]["Problem"]["properties"]
    operation = document["paths"]["/api/echo"]["post"]
    assert operation["tags"] == ["echo"]
    assert {"Bearer": []} in operation["security"]
    assert "`webhooks:manage`" in operation["description"]


def test_the_idempotency_key_is_a_parameter_of_what_starts_something(document):
    names = {parameter["name"] for parameter in document["paths"]["/api/starts"]["post"]["parameters"]}
    assert names == {"Idempotency-Key"}


def test_pages_are_bounded_in_the_document(document):
    limits = {one["name"]: one["schema"] for one in document["paths"]["/api/rows"]["get"]["parameters"]}
    assert (limits["limit"]["minimum"], limits["limit"]["maximum"]) == (1, 1000)


def test_rendering_knows_what_views_return():
    data = {"at": AT, "amount": Decimal("1.5"), "names": {"b", "a"}, 1: (1, 2)}
    assert orjson.loads(json_text.write(data)) == {"at": "2026-01-31T12:00:00.250Z", "amount": "1.5", "names": ["a", "b"], "1": [1, 2]}
    with pytest.raises(TypeError):
        json_text.write({"x": SimpleNamespace()})
