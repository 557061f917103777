"""Keeps docs/configuration.md in step with the settings: names and defaults come from the code, the sentences stay as written.

Called by `manage.py quality --fix` (write) and by the tests (is it in step, does every name have a sentence).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.environment import ROOT

PAGE = ROOT / "docs" / "configuration.md"
SOURCES = ("base.py", "production.py")
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]*)` \| (.*?) \| (.*?) \|$")
HEAD = """# Configuration

Every option, where it comes from and what it does when you leave it out. Steward runs with none of them set.
The environment wins over a file `.env` beside `manage.py`; `.env.example` is a copy to start from.
This page is kept in step with the code by `manage.py quality --fix`; the sentences are written by hand.
"""
SETTINGS = """
## Read once, at the start

| Name | Default | Meaning |
|---|---|---|
"""
OPTIONS = """
## Live options

The environment gives the default of these. `manage.py options` and the admin (Options) change them while Steward runs;
each change is audited and reaches every process within a second.

| Name | Default | Meaning |
|---|---|---|
"""


@dataclass(frozen=True)
class Setting:
    """One variable as the settings read it; `default` as the code writes it, "" when there is none."""

    name: str
    default: str


def text() -> str:
    """The page as it should be, with the sentences of the present one."""
    written = meanings()
    settings = "".join(f"| `{s.name}` | {s.default} | {written.get(s.name, '')} |\n" for s in from_settings())
    return HEAD + SETTINGS + settings + OPTIONS + "".join(_option_rows())


def is_in_step() -> bool:
    """Whether the committed page is what `text` gives."""
    return PAGE.exists() and PAGE.read_text() == text()


def write() -> None:
    """Bring the page into step. A new name gets an empty meaning, which a test then asks for."""
    PAGE.write_text(text())


def meanings() -> dict[str, str]:
    """Name → sentence, as the page has it now."""
    if not PAGE.exists():
        return {}
    rows = (ROW.match(line) for line in PAGE.read_text().splitlines())
    return {row.group(1): row.group(3) for row in rows if row}


def from_settings() -> list[Setting]:
    """The variables in the order in which the settings read them, each once."""
    found: dict[str, Setting] = {}
    for source in SOURCES:
        path = ROOT / "config" / "settings" / source
        if path.exists():
            for setting in _calls(ast.parse(path.read_text())):
                found.setdefault(setting.name, setting)
    return list(found.values())


def _calls(tree: ast.Module) -> Iterator[Setting]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_env(node.func)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = call.args[0] if call.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            default = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
            yield Setting(name.value, _shown(default))


def _is_env(function: ast.expr) -> bool:
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name) and function.id == "env"


def _shown(default: ast.expr | None) -> str:
    """The default for a reader: a value as it is typed into the environment, or the expression."""
    if default is None:
        return "required"
    try:
        value = ast.literal_eval(default)
    except ValueError:
        # A default that is computed (a path, an address) is explained in the sentence.
        return "computed"
    return _typed(value)


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple):
        value = ",".join(str(part) for part in value)
    return f"`{value}`" if value != "" else "empty"


def _option_rows() -> Iterator[str]:
    from config.settings.options import OPTIONS as declared

    for name, option in declared.items():
        unit = f" {option['unit']}" if option.get("unit") else ""
        bounds = f" From {option['min']} to {option['max']}." if "min" in option else ""
        yield f"| `{name}` | {_typed(option['default'])}{unit} | {option['help'].replace('|', '/')}{bounds} |\n"
