"""The lists of requirements: a reason beside each line, everything pinned and hashed, nothing that ties us to one place."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

FOLDER = Path(__file__).resolve().parent.parent.parent / "requirements"
LISTS = sorted(FOLDER.glob("*.in"))
NAME = re.compile(r"^([A-Za-z0-9._-]+)")


def _wanted(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-r"))]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(path: Path) -> dict[str, str]:
    """Name → the whole entry, its hashes included."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", path.read_text())
    return {_canonical(name.group(1)): entry for entry in entries if (name := NAME.match(entry))}


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_requirement_has_its_reason(path):
    assert [line for line in _wanted(path) if not re.search(r"\S\s+# \S", line)] == []


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_requirement_is_in_its_lock_file(path):
    pinned = _pinned(path.with_suffix(".txt"))
    assert [line for line in _wanted(path) if _canonical(NAME.match(line).group(1)) not in pinned] == []


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_pin_has_a_version_and_a_hash(path):
    pinned = _pinned(path.with_suffix(".txt"))
    assert [name for name, entry in pinned.items() if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_pin_keeps_the_extras_that_are_asked_for(path):
    # Old pips look for `coverage[toml]` beside a pinned `coverage`, find a release without a hash, and give up.
    pinned = _pinned(path.with_suffix(".txt"))
    asked = (re.match(r"([A-Za-z0-9._-]+)(\[[a-z,-]+\])", line) for line in _wanted(path))
    extras = {_canonical(found.group(1)): found.group(2) for found in asked if found}
    assert [name for name, extra in extras.items() if extra not in pinned[name].splitlines()[0]] == []
    if path.name in ("dev.in", "browser.in"):
        assert pinned["coverage"].startswith("coverage[toml]==")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_list_names_an_index_or_a_folder_of_one_machine(path):
    assert re.findall(r"--(?:extra-)?index-url|--find-links|file://|https?://", path.read_text()) == []


def test_the_frameworks_that_do_not_fit_are_not_installed():
    pinned = _pinned(FOLDER / "production.txt")
    assert sorted({"fastapi", "sqlalchemy", "alembic"} & set(pinned)) == []
