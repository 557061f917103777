"""Keeps the latest requests of the inbox, one file each, so that no writer waits for another. Called by the dashboard only."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from config.kernel.flow import clock
from config.kernel.models.base import new_uid
from config.kernel.wire import redact
from webhooks.services.inbox import proofs
from webhooks.services.inbox.proofs import Proof

KEPT = 200
# Thinned out only past this, so that not every arrival lists the folder for a single file.
THINNED_AT = KEPT + 50
BODY_BYTES = 65_536
MAX_HEADERS, MAX_HEADER_LENGTH = 64, 2000


@dataclass(frozen=True)
class Arrived:
    """One request as it came, its body cut at BODY_BYTES, and what its signatures proved at that moment."""

    uid: str
    at: datetime
    address: str
    headers: Mapping[str, str]
    body: str
    size: int
    proofs: Sequence[Proof] = field(default_factory=tuple)

    @property
    def event_id(self) -> str:
        """The event's or the batch's id."""
        return self.headers.get("webhook-id", "")

    @property
    def event_type(self) -> str:
        """What the sender calls it."""
        return self.headers.get("x-webhook-event", "")

    @property
    def attempt(self) -> str:
        """The number of the attempt, as the sender says."""
        return self.headers.get("x-webhook-attempt", "")

    @property
    def verdict(self) -> str:
        """`valid` when every signature that came holds, `invalid` when one does not, `unsigned` when none came."""
        if not self.proofs:
            return "unsigned"
        return "valid" if all(proof.holds for proof in self.proofs) else "invalid"


def take(headers: Mapping[str, str], body: bytes, *, address: str = "") -> Arrived:
    """Store a request. Header names in lower case. What lets somebody in is masked; signatures stay."""
    now = clock.now()
    arrived = Arrived(
        uid=new_uid("box_"),
        at=now,
        address=address,
        headers={name[:100]: value[:MAX_HEADER_LENGTH] for name, value in list(redact.headers(headers).items())[:MAX_HEADERS]},
        body=body[:BODY_BYTES].decode("utf-8", "replace"),
        size=len(body),
        proofs=proofs.check(headers, body, now=now),
    )
    _write(arrived)
    _thin_out()
    return arrived


def latest(limit: int = KEPT) -> list[Arrived]:
    """The newest first."""
    found = [_read(path) for path in sorted(_folder().glob("box_*.json"), reverse=True)[: min(limit, KEPT)]]
    return [arrived for arrived in found if arrived is not None]


def empty() -> int:
    """Throw all of it away; how many."""
    files = list(_folder().glob("box_*.json"))
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _folder() -> Path:
    folder = Path(settings.DATA_DIR) / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(arrived: Arrived) -> None:
    """Readers see the whole file or none."""
    target = _folder() / f"{arrived.uid}.json"
    half = target.with_suffix(".part")
    half.write_bytes(orjson.dumps(asdict(arrived)))
    os.replace(half, target)


def _read(path: Path) -> Arrived | None:
    try:
        kept: dict[str, Any] = orjson.loads(path.read_bytes())
        kept["at"] = datetime.fromisoformat(kept["at"])
        kept["proofs"] = tuple(Proof(**proof) for proof in kept["proofs"])
        return Arrived(**kept)
    except (OSError, ValueError, TypeError, KeyError):
        # Thinned out meanwhile, or half a file after the machine went down: nothing to show.
        return None


def _thin_out() -> None:
    files = sorted(_folder().glob("box_*.json"))
    if len(files) > THINNED_AT:
        for path in files[:-KEPT]:
            path.unlink(missing_ok=True)
