"""What the kernel signs, the client package for applications verifies: the two share no code."""

import time

import orjson
import pytest

import steward_client
from config.kernel.wire import signing

pytestmark = pytest.mark.pure

BODY = orjson.dumps(
    {
        "event": "a.b",
        "eventType": "a.b",
        "eventId": "evt_1",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "data": {"name": "é 🎬", "deep": {"n": [1, 2.5]}},
    }
)


@pytest.mark.parametrize(
    "secret",
    [signing.new_secret(24), signing.new_secret(), signing.new_secret(64), "plain words", "whsec_"],
    ids=["24", "32", "64", "plain", "bare"],
)
def test_a_delivery_signed_by_us_is_verified(secret):
    now = int(time.time())
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": signing.standard_sign(secret, "evt_1", now, BODY)}
    assert steward_client.verify(BODY, headers, secret).data == {"name": "é 🎬", "deep": {"n": [1, 2.5]}}
    with pytest.raises(steward_client.VerificationError):
        steward_client.verify(BODY + b" ", headers, secret)


def test_the_older_header_signed_by_us_is_verified():
    secret = signing.new_secret()
    assert steward_client.verify_signature(BODY, signing.hub_sign(secret, BODY), secret) is True
    assert steward_client.verify_signature(BODY + b" ", signing.hub_sign(secret, BODY), secret) is False


def test_the_package_needs_nothing_but_the_standard_library():
    import subprocess
    import sys
    from pathlib import Path

    source = Path(steward_client.__file__).parent.parent
    alone = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(source)!r}); import steward_client"], check=False
    )
    assert alone.returncode == 0
