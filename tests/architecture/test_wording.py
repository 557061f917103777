"""How the product speaks: no claims nobody can check, no unfinished corners, nothing about one person's machine."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent
THIS = "tests/architecture/test_wording.py"
CLAIMS = re.compile(r"production.ready|ultra-advanced|enterprise.grade|blazing|world.class|discord|seamless|cutting.edge", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|stub, being written")
MACHINE = re.compile(r"(?<![\w.$}-])/(?:work|root|Users)/|(?<![\w.$}-])/home/[a-z]+/")
# Compiled lists, payloads of others and vendored scripts speak for themselves.
NOT_OURS = ("requirements/", "tests/data/", "static/vendor/", "static/admin/")


def _texts(*suffixes: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in sorted(set(listed.stdout.split("\n"))) if name.endswith(suffixes) and not name.startswith(NOT_OURS)]
    return [name for name in names if name != THIS and (ROOT / name).is_file()]


def _hits(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in names
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_pages_claim_nothing_that_cannot_be_checked():
    assert _hits(CLAIMS, _texts(".md", ".html", ".txt")) == []


def test_no_corner_is_left_for_later():
    assert _hits(UNFINISHED, _texts(".py", ".md", ".html", ".js", ".css", ".sh", ".yml", ".toml")) == []


def test_nothing_names_a_folder_of_one_machine():
    # The check that looks for such folders has to write them down.
    names = [name for name in _texts(".py", ".md", ".html", ".yml", ".toml", ".sh") if not name.endswith("commands/quality.py")]
    assert _hits(MACHINE, names) == []


def test_every_module_says_its_role():
    """The first line of a module's docstring; packages that only group may be silent."""
    import ast

    silent = [
        name
        for name in _texts(".py")
        if not name.endswith("__init__.py") and "/migrations/" not in name and not ast.get_docstring(ast.parse((ROOT / name).read_text()))
    ]
    assert silent == []
