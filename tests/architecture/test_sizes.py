"""The walls: 50 lines a function, 400 a module, 600 a test module, 6,000 the kernel, 1,200 each of its rooms, a dozen files a folder."""

import ast
from collections import Counter
from pathlib import PurePosixPath

import pytest

from tests.architecture.test_rooms import OUTSIDE, ROOT, product_files

pytestmark = pytest.mark.pure

FUNCTION, MODULE, TEST_MODULE, KERNEL, KERNEL_ROOM, FILES = 50, 400, 600, 6000, 1200, 12
# Folders that hold more than a dozen modules, each with the reason.
CROWDED = {
    "config/kernel/flow": "one file a step on the path of an event, and the words they share",
    "config/kernel/management/commands": "one file a command, as Django wants it; there are as many as there are deeds",
    "automation/actions": "one file an action: the file's name is the action's key",
    "webhooks/management/commands": "one file a command, as Django wants it; there are as many as there are deeds",
    "webhooks/services": "one module a kind of deed; what sends is a package of its own already",
    "automation/api": "one module a resource",
    "automation/dashboard": "one module a page and what is done on it",
    "tests/support/acting/actions": "actions of every temper, one a file as plug-ins are",
    "tests/acts": "one module for each module of acts",
    "tests/automation": "one module for each module of the app",
    "tests/journeys": "one journey a file; each starts real processes of its own",
    "tests/support": "one helper a kind of thing that tests start or make",
    "tests/kernel": "one module for each module of the kernel",
    "tests/webhooks": "one module for each module of the app",
}


def _lines(path: str) -> int:
    return (ROOT / path).read_text().count("\n")


def _ours() -> list[str]:
    return [path for path in product_files() if "/migrations/" not in path]


def test_no_function_is_longer_than_the_wall():
    long = []
    for path in _ours():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION:
                    long.append(f"{path}:{node.lineno} {node.name} has {lines} lines")
    assert long == [], f"a function has at most {FUNCTION} lines; about 10 is the aim"


def test_no_module_is_longer_than_the_wall():
    walls = ((path, TEST_MODULE if path.startswith("tests/") or "/tests/" in path else MODULE) for path in _ours())
    assert [f"{path} has {_lines(path)} lines" for path, wall in walls if _lines(path) > wall] == []


def _sizes(ground: str) -> Counter[str]:
    """Lines of each room of a part of the ground, without commands."""
    sizes: Counter[str] = Counter()
    for path in _ours():
        parts = PurePosixPath(path).parts
        if parts[:2] == ("config", ground) and "management" not in parts:
            sizes[parts[2] if len(parts) > 3 else "top"] += _lines(path)
    return sizes


def test_the_kernel_stays_small():
    assert sum(_sizes("kernel").values()) < KERNEL, f"the kernel has {sum(_sizes('kernel').values())} lines: {dict(_sizes('kernel'))}"


@pytest.mark.parametrize("ground", ["kernel", "acts", "doors", "look"])
def test_no_room_of_the_ground_is_larger_than_its_wall(ground):
    assert {room: lines for room, lines in _sizes(ground).items() if lines >= KERNEL_ROOM} == {}


def test_a_crowded_folder_has_a_reason():
    counts = Counter(str(PurePosixPath(path).parent) for path in _ours() if not path.endswith("__init__.py"))
    crowded = {folder: count for folder, count in counts.items() if count > FILES and folder not in CROWDED}
    assert crowded == {}, f"more than {FILES} files in a folder: divide it, or give the reason in CROWDED"


def test_tests_are_not_in_the_product():
    assert [path for path in _ours() if not path.startswith(OUTSIDE) and PurePosixPath(path).name.startswith("test_")] == []
