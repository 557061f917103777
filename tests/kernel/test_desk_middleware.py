"""What every request passes through: correlation id, counts, content security policy, address and actor."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse, JsonResponse
from django.test import Client, RequestFactory
from django.urls import path

from config.doors import middleware, problems
from config.kernel.flow import context
from config.kernel.flow.errors import NotFound
from config.kernel.watch import metrics

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def who(request, slug=""):
    here = context.current()
    return JsonResponse({"actor": here.actor, "ip": here.ip, "id": here.correlation_id})


def page(request):
    return HttpResponse(f'<script nonce="{request.csp_nonce}"></script>')


def own_policy(request):
    return HttpResponse("x", headers={"Content-Security-Policy": "default-src 'none'"})


def lost(request):
    raise NotFound("There is no delivery dlv_1. It may have been removed.")


urlpatterns = [
    path("who", who),
    path("in/<slug:slug>/who", who),
    path("health", who),
    path("page", page),
    path("own", own_policy),
    path("docs", page),
    path("lost", lost),
]
handler404, handler500 = problems.page_not_found, problems.server_error


@pytest.fixture
def counted(monkeypatch):
    found = []
    monkeypatch.setattr(metrics, "count", lambda name, amount=1, **labels: found.append((name, labels)))
    monkeypatch.setattr(metrics, "observe", lambda *_, **__: None)
    return found


def test_a_given_correlation_id_comes_back_and_holds_inside(client):
    response = client.get("/who", headers={"X-Correlation-ID": "abc"})
    assert response["X-Correlation-ID"] == response.json()["id"] == "abc"


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "<script>", "a\tb"])
def test_one_that_may_not_be_used_is_replaced(client, given):
    response = client.get("/who", headers={"X-Correlation-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Correlation-ID"])


def test_the_context_ends_with_the_request(client):
    client.get("/who", headers={"X-Correlation-ID": "abc"})
    assert context.current().correlation_id == ""


def test_requests_are_counted_by_method_and_class_of_status(client, counted):
    client.get("/who")
    client.get("/nothing")
    client.generic("BREW", "/who")
    assert counted == [
        ("http_requests_total", {"method": "GET", "status": "2xx"}),
        ("http_requests_total", {"method": "GET", "status": "4xx"}),
        ("http_requests_total", {"method": "other", "status": "2xx"}),
    ]


def test_health_is_not_counted(client, counted):
    client.get("/health")
    assert counted == []


def test_a_page_gets_a_strict_policy_with_a_fresh_nonce(client):
    first, second = client.get("/page"), client.get("/page")
    policy = first["Content-Security-Policy"]
    [nonce] = re.findall(r'nonce="([^"]+)"', first.content.decode())
    assert f"script-src 'self' 'nonce-{nonce}';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy != second["Content-Security-Policy"]


def test_a_view_may_have_its_own_policy_and_json_needs_none(client):
    assert client.get("/own")["Content-Security-Policy"] == "default-src 'none'"
    assert "Content-Security-Policy" not in client.get("/who")


def test_an_error_that_a_page_let_through_says_what_it_is(client):
    response = client.get("/lost", headers={"Accept": "application/json"})
    assert response.status_code == 404
    assert "dlv_1" in response.json()["detail"]


@pytest.mark.parametrize("where", ["/who?q=%00", "/in/a%00"])
def test_a_nul_in_the_address_is_refused_before_any_view(client, where):
    assert client.get(where).status_code == 400


def test_the_actor_is_who_is_logged_in(client):
    user = User.objects.create_user("mira")
    assert client.get("/who").json()["actor"] == "anonymous"
    client.force_login(user)
    assert client.get("/who").json()["actor"] == "mira"


def test_the_inbound_door_asks_for_no_session_and_no_user(django_assert_num_queries):
    browser = Client()
    browser.force_login(User.objects.create_user("mira"))
    with django_assert_num_queries(0):
        assert browser.post("/in/github/who").json()["actor"] == "anonymous"


def test_a_request_without_a_session_asks_for_no_user(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/who")


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "found"),
    [
        ("203.0.113.9", "", [], "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", [], "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", ["10.0.0.0/8"], "10.0.0.3"),
        ("10.0.0.1", "nonsense", ["10.0.0.0/8"], "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::7", ["10.0.0.1"], "2001:db8::7"),
        ("", "198.51.100.1", ["10.0.0.0/8"], ""),
    ],
)
def test_the_address_believes_only_trusted_proxies(settings, remote, forwarded, proxies, found):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded} if forwarded else {})
    assert middleware.client_ip(request) == found


def test_the_proxy_of_the_compose_file_replaces_what_the_caller_says_of_its_address():
    assert "./deploy/nginx/steward.conf:" in (ROOT / "docker-compose.yml").read_text()
    said = re.findall(r"proxy_set_header X-Forwarded-For (.+);", (ROOT / "deploy/nginx/steward.conf").read_text())
    assert said == ["$remote_addr"]
