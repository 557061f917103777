"""Dead letters as files: one for each event, as S2 has them, without a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.factories import DeliveryFactory, EndpointFactory
from webhooks.enums import DeliveryStatus
from webhooks.services import deliveries, export

pytestmark = pytest.mark.django_db


def tree(folder: Path) -> dict[str, Any]:
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))}


def test_a_dead_letter_is_a_file_under_the_id_of_its_event(tmp_path: Path) -> None:
    dead = DeliveryFactory(status=DeliveryStatus.DEAD, attempt_count=3, last_status_code=500)
    DeliveryFactory(event=dead.event, endpoint=EndpointFactory(), status=DeliveryStatus.DEAD)
    DeliveryFactory(status=DeliveryStatus.DELIVERED)
    assert export.write(tmp_path) == export.Exported(registrations=3, failed=1)
    found = tree(tmp_path)
    assert sorted(found) == [f"webhooks/failed/{dead.event.uid}.json", "webhooks/registrations.json"]
    failed = found[f"webhooks/failed/{dead.event.uid}.json"]
    assert (failed["eventId"], failed["eventType"], failed["data"]) == (dead.event.uid, dead.event.type, dead.event.data)
    assert next(one["deliveryId"] for one in failed["deliveries"]) == dead.uid
    assert (failed["deliveries"][0]["attempts"], failed["deliveries"][0]["lastStatusCode"]) == (3, 500)


def test_what_is_sent_again_leaves_the_tree(tmp_path: Path) -> None:
    dead = DeliveryFactory(status=DeliveryStatus.DEAD)
    export.write(tmp_path)
    deliveries.redeliver(dead)
    assert export.write(tmp_path).failed == 0
    assert list((tmp_path / "webhooks" / "failed").iterdir()) == []


def test_no_file_holds_a_secret(tmp_path: Path) -> None:
    endpoint = EndpointFactory(
        url="https://receiver.example/hook?token=hush-hush-hush", secret="whsec_bm90IGZvciBhbnlib2R5IGVsc2UgdG8gc2Vl"
    )
    DeliveryFactory(endpoint=endpoint, status=DeliveryStatus.DEAD)
    export.write(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "hush-hush" not in written
    assert "whsec_" not in written


def test_the_command_says_how_much_it_wrote_and_what_is_wrong_with_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("deliveries", "export", str(tmp_path), "--json")
    assert json.loads(capsys.readouterr().out) == {"registrations": 0, "failed": 0, "folder": str(tmp_path / "webhooks")}
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="Name a folder"):
        call_command("deliveries", "export", str(tmp_path / "file"))
