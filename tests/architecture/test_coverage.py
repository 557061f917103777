"""docs/coverage.md is the promise of what is proved: all requirement rows, each with a test that exists, or a sentence."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "coverage.md"
ROW = re.compile(r"^\| ((?:S\d|B)-\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`((?:tests|clients/python/tests)/[\w/]+\.py)(?:::(\w+))?`")
# How many rows each source has; together 477.
COUNTS = {"S0": 121, "S1": 121, "S2": 61, "S3": 96, "S4": 70, "B": 8}


def _rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall(PAGE.read_text())


def _is_open(proof: str) -> bool:
    return proof.startswith(("later: ", "not met: "))


@cache
def _functions(path: Path) -> dict[str, bool]:
    """Test function → whether a mark on it or on its module skips it always."""
    tree = ast.parse(path.read_text())
    always = any(_skips(node.value) for node in tree.body if isinstance(node, ast.Assign) and _assigns_marks(node))
    return {
        node.name: always or any(_skips(mark) for mark in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _assigns_marks(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _skips(mark: ast.expr) -> bool:
    return re.search(r"\b(mark\.skip|mark\.xfail)\b(?!if)", ast.unparse(mark)) is not None


def test_all_rows_are_there_once():
    ids = [row[0] for row in _rows()]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    wanted = {f"{source}-{number:02d}" for source, count in COUNTS.items() for number in range(1, count + 1)}
    assert (sorted(wanted - set(ids)), sorted(set(ids) - wanted)) == ([], [])


def test_every_open_row_has_a_sentence():
    short = [name for name, _, _, proof in _rows() if _is_open(proof) and len(proof.split()) < 4]
    assert short == []


def test_every_row_names_a_test_or_says_that_it_is_open():
    assert [name for name, _, _, proof in _rows() if not _is_open(proof) and not TEST.search(proof)] == []


def test_every_named_test_exists_and_is_not_skipped():
    wrong = []
    for name, _, _, proof in _rows():
        for file, function in TEST.findall(proof):
            path = ROOT / file
            if not path.exists():
                wrong.append(f"{name}: there is no {file}")
            elif function and function not in _functions(path):
                wrong.append(f"{name}: {file} has no {function}")
            elif function and _functions(path)[function]:
                wrong.append(f"{name}: {file}::{function} is skipped always")
    assert wrong == []


def test_every_place_a_proved_row_names_exists():
    """`where` holds paths in code format; a proved row must not point at a file that moved."""
    wrong = []
    for name, _, where, proof in _rows():
        if not _is_open(proof):
            places = [place for place in re.findall(r"`([\w./-]+)`", where) if "/" in place or place.endswith((".py", ".md"))]
            wrong += [f"{name}: {place}" for place in places if not (ROOT / place).exists()]
    assert wrong == []
