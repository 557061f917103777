"""`manage.py screenshots` takes each page at both widths and lays them side by side."""

import json

from tests.browser.conftest import PASSWORD


def test_screenshots_of_a_running_installation(house, session, tmp_path):
    out = json.loads(house.manage("screenshots", "--url", house.url, "--dir", str(tmp_path), "--path", "/events", "--json"))
    assert house.environ["ADMIN_PASSWORD"] == PASSWORD
    assert [page["name"] for page in out["pages"]] == ["login", "dashboard-events"]
    for page in out["pages"]:
        assert page["complaints"] == []
        for name in page["files"].values():
            assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "dashboard-events-390.png" in (tmp_path / "index.html").read_text()
