"""Which signatures of a request hold, under the secrets of the endpoints that send to the inbox. Called by `box`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.kernel.wire import signing
from config.kernel.wire.signing import SignatureError
from webhooks.engine.envelope import Credentials
from webhooks.models import Endpoint
from webhooks.services import endpoints
from webhooks.services.welcome import INBOX, INBOX_PATH

STANDARD, HUB, PLAIN = "webhook-signature", "x-hub-signature-256", "x-webhook-signature"


@dataclass(frozen=True)
class Proof:
    """One signature: the header it came in, whether it holds, and a sentence."""

    header: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class _Signer:
    """An endpoint that may have sent it."""

    uid: str
    credentials: Credentials
    public_key: str


def check(headers: Mapping[str, str], body: bytes, *, now: datetime) -> tuple[Proof, ...]:
    """A proof for each signature that came, none for those that did not. Header names in lower case."""
    if not any(headers.get(name) for name in (STANDARD, HUB, PLAIN)):
        return ()
    return tuple(_proofs(_signers(now), headers, body, now))


def _signers(now: datetime) -> list[_Signer]:
    """The endpoint `inbox` first, then others that people pointed here."""
    rows = Endpoint.living.filter(url__endswith=INBOX_PATH) | Endpoint.living.filter(uid=INBOX)
    found = [_Signer(row.uid, endpoints.credentials(row, now=now), endpoints.public_key(row)) for row in rows]
    return sorted(found, key=lambda signer: signer.uid != INBOX)


def _proofs(signers: Sequence[_Signer], headers: Mapping[str, str], body: bytes, now: datetime) -> Iterator[Proof]:
    if headers.get(STANDARD):
        yield _standard(signers, headers, body, now)
    for name in (HUB, PLAIN):
        if given := headers.get(name, ""):
            fits = next((signer.uid for signer in signers if signing.hub_verify(signer.credentials.secret, given, body)), "")
            detail = f"HMAC-SHA256 of the body, with the secret of {fits}." if fits else "It does not fit the body under any secret."
            yield Proof(name, bool(fits), detail)


def _standard(signers: Sequence[_Signer], headers: Mapping[str, str], body: bytes, now: datetime) -> Proof:
    refusal = "There is no endpoint that sends to this inbox."
    for signer in signers:
        known = [signer.credentials.secret, *signer.credentials.old_secrets, signer.public_key]
        try:
            signing.standard_verify([one for one in known if one], headers, body, now)
        except SignatureError as error:
            refusal = error.message
        else:
            return Proof(STANDARD, True, f"Standard Webhooks: id, time and body, with the secret of {signer.uid}.")
    return Proof(STANDARD, False, refusal)
