"""The inbox of the embedded set-up: what arrives is shown with its signatures judged; elsewhere there is none."""

import pytest

from config.kernel.flow import clock
from config.kernel.wire import signing
from tests.support.api import VIEWER
from tests.support.factories import SECRET, EndpointFactory
from tests.support.pages import client_of, said, text_of
from webhooks.engine import envelope
from webhooks.engine.envelope import Credentials, Message
from webhooks.services.inbox import box

pytestmark = pytest.mark.django_db

BODY = b'{"event":"order.placed","data":{"number":1}}'
URL = "http://127.0.0.1:8000/inbox/receive"


@pytest.fixture(autouse=True)
def _embedded(settings, tmp_path):
    settings.EMBEDDED = True
    settings.DATA_DIR = tmp_path


@pytest.fixture
def viewer():
    return client_of(VIEWER)


def deliver(client, *, secret=SECRET, body=BODY, sent=BODY, **credentials):
    message = Message(event_type="order.placed", uid="evt_1", body=body, attempt=1, timestamp=int(clock.now().timestamp()))
    signed = envelope.sign(message, url=URL, credentials=Credentials(secret=secret, **credentials))
    return client.post("/inbox/receive", sent, content_type="application/json", headers=dict(signed.headers))


def test_an_empty_inbox_says_what_to_do_first(viewer):
    assert "Nothing has arrived yet" in text_of(viewer.get("/inbox"))


def test_a_delivery_arrives_without_login_and_all_its_signatures_hold(client, viewer):
    EndpointFactory(uid="inbox", url=URL)
    assert deliver(client).status_code == 200
    (arrived,) = box.latest()
    assert [proof.holds for proof in arrived.proofs] == [True, True, True]
    page = text_of(viewer.get("/inbox"))
    assert "signatures hold" in page
    assert "order.placed" in page
    assert SECRET not in page


def test_a_signature_of_another_secret_or_over_other_bytes_does_not_hold(client, viewer):
    EndpointFactory(uid="inbox", url=URL)
    deliver(client, secret=signing.new_secret())
    deliver(client, sent=BODY + b" ")
    assert [arrived.verdict for arrived in box.latest()] == ["invalid", "invalid"]
    assert "a signature does not hold" in text_of(viewer.get("/inbox"))


def test_an_ed25519_signature_is_judged_by_the_public_key(client):
    private, _ = signing.ed25519_new()
    EndpointFactory(uid="inbox", url=URL, signing_key=private)
    deliver(client, signing_key=private)
    assert box.latest()[0].verdict == "valid"


def test_what_carries_no_signature_is_called_unsigned(client):
    client.post("/inbox/receive", b"hello", content_type="text/plain")
    assert box.latest()[0].verdict == "unsigned"


def test_another_endpoint_that_points_here_is_known_by_its_own_secret(client):
    other = signing.new_secret()
    EndpointFactory(uid="inbox", url=URL)
    EndpointFactory(uid="second", url=URL, secret=other)
    deliver(client, secret=other)
    assert "second" in box.latest()[0].proofs[0].detail


def test_credentials_are_masked_and_markup_is_escaped(client, viewer):
    evil = b'{"branch": "<script>alert(1)</script>"}'
    client.post("/inbox/receive", evil, content_type="application/json", headers={"Authorization": "Bearer abcdefgh"})
    page = text_of(viewer.get("/inbox"))
    assert "abcdefgh" not in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_only_the_latest_are_kept(client, settings, monkeypatch):
    monkeypatch.setattr(box, "KEPT", 3)
    monkeypatch.setattr(box, "THINNED_AT", 4)
    for number in range(7):
        box.take({"x-webhook-event": f"n{number}"}, b"")
    assert len(list((settings.DATA_DIR / "inbox").iterdir())) <= 4
    assert len(box.latest()) == 3


def test_half_a_file_is_passed_over(settings):
    box.take({}, b"whole")
    (settings.DATA_DIR / "inbox" / "box_zzz.json").write_bytes(b'{"uid": "box_z')
    assert [arrived.body for arrived in box.latest()] == ["whole"]


def test_only_post_is_taken_and_not_too_much(client):
    assert client.get("/inbox/receive").status_code == 405
    assert client.post("/inbox/receive", b"", content_type="text/plain", CONTENT_LENGTH="99999999").status_code == 413
    assert box.latest() == []


def test_emptying_needs_the_permission_and_a_confirmation(client, viewer):
    box.take({}, b"one")
    assert viewer.post("/inbox/empty").status_code == 403
    admin = client_of()
    assert "Empty the inbox?" in text_of(admin.get("/inbox/empty"))
    assert "1 request removed" in said(admin.post("/inbox/empty", follow=True))
    assert box.latest() == []


def test_there_is_no_inbox_outside_the_embedded_set_up(client, viewer, settings):
    settings.EMBEDDED = False
    assert viewer.get("/inbox").status_code == 404
    assert client.post("/inbox/receive", b"x", content_type="text/plain").status_code == 404
    assert client_of().post("/inbox/empty").status_code == 404
