"""Programs and GitHub, as they behave towards a house that is being struck: who is not answered 2xx sends the same again."""

import hashlib
import hmac
import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.support.stack import Answer, Stack

SECRET = "It's a Secret to Everybody"
PROGRAM, GITHUB = "video.failed", "github.push"
FROM_GITHUB = "github.*"
# A batch for ten single posts and five of GitHub: most events come by batch, most requests do not.
PARCELS = {"batch": 1, "single": 10, "github": 5}
MOST_IN_BATCH = 100
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 90


def subscribe(house: Stack, url: str, events: Sequence[str], **fields: object) -> str:
    """Register an endpoint; its id."""
    answer = house.call("/api/v1/webhooks/endpoints", {"url": url, "events": list(events), **fields})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


@dataclass
class Publisher:
    """`accepted`: the marker of each event that was answered 2xx → how it was sent. `refused`: answers that were none, by kind."""

    house: Stack
    accepted: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    def mixed(self, markers: Sequence[str], rng: random.Random) -> None:
        """Publish an event for each marker, by all three ways."""
        rest = list(markers)
        while rest:
            [way] = rng.choices(list(PARCELS), list(PARCELS.values()))
            size = rng.randint(2, MOST_IN_BATCH) if way == "batch" else 1
            parcel, rest = rest[:size], rest[size:]
            {"batch": self.batch, "single": lambda some: self.single(some[0]), "github": lambda some: self.github(some[0])}[way](parcel)

    def batch(self, markers: Sequence[str]) -> None:
        """Through POST /api/v1/events/batch."""
        answer = self._insist(lambda: self.house.call("/api/v1/events/batch", {"events": [_event(marker) for marker in markers]}))
        results = answer.json()["results"]
        assert [one["id"] for one in results] == list(markers), results
        self.accepted.update(dict.fromkeys(markers, "batch"))

    def single(self, marker: str) -> Answer:
        """Through POST /api/v1/events."""
        answer = self._insist(lambda: self.house.call("/api/v1/events", _event(marker)))
        self.accepted[marker] = "single"
        return answer

    def github(self, marker: str) -> Answer:
        """A push, signed, with the marker as GitHub's delivery id."""
        body = json.dumps({"ref": "refs/heads/main", "after": marker, "repository": {"full_name": "octo/repo"}}).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": marker, "X-Hub-Signature-256": signature, "Authorization": ""}
        answer = self._insist(lambda: self.house.call("/api/v1/webhooks/github", body, headers=headers))
        self.accepted[marker] = "github"
        return answer

    def _insist(self, send: Callable[[], Answer]) -> Answer:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                answer = send()
            except (OSError, http.client.HTTPException) as error:
                self.refused[type(error).__name__] += 1
            else:
                if answer.status < 300:
                    self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - started)
                    return answer
                self.refused[str(answer.status)] += 1
                assert answer.status >= 500, (answer.status, answer.body)
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"no publish was accepted for {PATIENCE_SECONDS} s: {dict(self.refused)}")


def _event(marker: str) -> dict[str, object]:
    return {"type": PROGRAM, "id": marker, "data": {"videoId": marker, "error": {"message": "broken"}}}
