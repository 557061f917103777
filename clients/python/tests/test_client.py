"""Publishing against a server on loopback that answers as it is told."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from steward_client import ApiError, Client, Published, Unreachable

pytestmark = pytest.mark.pure


class Server(ThreadingHTTPServer):
    """Answers with the given replies in turn, the last for ever; keeps what it got."""

    daemon_threads = True

    def __init__(self, replies):
        self.replies, self.got = list(replies), []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request, one reply."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers["Authorization"], body))
        reply = self.server.replies.pop(0) if len(self.server.replies) > 1 else self.server.replies[0]
        status, headers, content = reply(body) if callable(reply) else reply
        encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(encoded)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def serve():
    servers = []

    def start(*replies):
        server = Server(replies)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def waits(monkeypatch):
    """The waits that the client asked for, none of them waited."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


NEW = (202, {}, {"id": "x"})


def all_created(body):
    return 202, {}, {"results": [{"id": one["id"], "status": "created", "errors": []} for one in body["events"]]}


def test_publish_sends_the_event_with_the_token(serve):
    server = serve(NEW)
    done = Client(server.url, "tok_1").publish("video.completed", {"videoId": "v1"}, id="mine")
    assert done == Published("mine", is_new=True)
    assert server.got == [("/api/v1/events", "Bearer tok_1", {"type": "video.completed", "data": {"videoId": "v1"}, "id": "mine"})]


def test_an_event_may_name_its_subject(serve):
    server = serve(NEW)
    Client(server.url, "t").publish("a.b", {}, id="mine", subject="order:7")
    assert server.got[0][2]["subject"] == "order:7"


def test_an_id_published_before_is_not_new(serve):
    assert Client(serve((200, {}, {"id": "mine"})).url, "t").publish("a.b", {}, id="mine").is_new is False


def test_without_an_id_one_is_made_and_answered(serve):
    server = serve(NEW)
    client = Client(server.url, "t")
    first, second = client.publish("a.b", {}), client.publish("a.b", {})
    assert [body["id"] for _, _, body in server.got] == [first.id, second.id]
    assert first.id != second.id


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_with_the_same_id_after_the_time_it_names(serve, waits, status):
    server = serve((status, {"Retry-After": "7"}, {}), NEW)
    done = Client(server.url, "t").publish("a.b", {})
    assert [body["id"] for _, _, body in server.got] == [done.id, done.id]
    assert waits == [7.0]


def test_without_a_time_the_waits_double(serve, waits):
    Client(serve((503, {}, {}), (503, {}, {}), (503, {"Retry-After": "soon"}, {}), NEW).url, "t").publish("a.b", {})
    assert waits == [0.5, 1.0, 2.0]


def test_nobody_waits_longer_than_a_minute(serve, waits):
    Client(serve((429, {"Retry-After": "86400"}, {}), NEW).url, "t").publish("a.b", {})
    assert waits == [60.0]


def test_a_server_that_stays_busy_is_given_up_with_its_words(serve, waits):
    server = serve((429, {}, {"detail": "Too many calls.", "correlation_id": "c-1"}))
    with pytest.raises(ApiError, match=r"429\. Too many calls\.") as caught:
        Client(server.url, "t", retries=2).publish("a.b", {})
    assert (caught.value.status, caught.value.correlation_id, len(server.got)) == (429, "c-1", 3)


@pytest.mark.parametrize(("status", "words"), [(400, "No event type"), (401, "Check the token"), (403, "events:publish"), (500, "500")])
def test_a_refusal_is_not_tried_again(serve, waits, status, words):
    server = serve((status, {}, {"detail": "No event type nope.x."}))
    with pytest.raises(ApiError, match=words):
        Client(server.url, "t").publish("nope.x", {})
    assert (len(server.got), waits) == (1, [])


def test_a_redirect_is_not_followed(serve):
    other = serve(NEW)
    with pytest.raises(ApiError) as caught:
        Client(serve((302, {"Location": other.url}, {})).url, "t").publish("a.b", {})
    assert (caught.value.status, other.got) == (302, [])


def test_nobody_there_is_tried_and_named(serve, waits):
    server = serve(NEW)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(Unreachable, match="same id"):
        Client(url, "t", retries=2).publish("a.b", {})
    assert waits == [0.5, 1.0]


def test_a_page_that_is_not_ours_is_an_error_with_a_sentence(serve):
    with pytest.raises(ApiError, match="Check base_url"):
        Client(serve((200, {}, b"<html>")).url, "t").publish("a.b", {})


def test_many_go_in_requests_of_a_thousand_and_keep_their_order(serve):
    server = serve(all_created)
    done = Client(server.url, "t").publish_many({"type": "a.b", "data": {"n": n}, "id": f"e{n}"} for n in range(2001))
    assert [len(body["events"]) for _, _, body in server.got] == [1000, 1000, 1]
    assert [one.id for one in done] == [f"e{n}" for n in range(2001)]
    assert server.got[0][0] == "/api/v1/events/batch"


def test_a_refused_one_among_many_stops_none_and_keeps_its_reasons(serve):
    results = [
        {"id": "a", "status": "created", "errors": []},
        {"id": None, "status": "refused", "errors": ["no type"]},
        {"id": "c", "status": "duplicate", "errors": []},
    ]
    events = [{"type": "a.b", "data": {}, "id": name} for name in "abc"]
    done = Client(serve((202, {}, {"results": results})).url, "t").publish_many(events)
    assert done == [Published("a", True), Published("b", False, ("no type",)), Published("c", False)]


def test_nothing_to_publish_asks_nobody(serve):
    server = serve(NEW)
    assert (Client(server.url, "t").publish_many([]), server.got) == ([], [])


def test_an_address_without_a_scheme_is_refused_at_once():
    with pytest.raises(ValueError, match="https://"):
        Client("steward.example.com", "t")
