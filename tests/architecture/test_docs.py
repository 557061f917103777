"""What the documents say is there is there: commands, links, options; and the options are documented everywhere they should be."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.support import configuration, environment

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    document
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "config/*/README.md", "clients/python/*.md", "deploy/**/*.md")
    for document in sorted(ROOT.glob(pattern))
    if not {".venv", "var", "node_modules"} & set(document.relative_to(ROOT).parts)
]
COMMAND = re.compile(r"manage\.py ([a-z_]+)((?: +--[a-z-]+)*)")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
SHELL = re.compile(r"^(?:export )?#? ?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
# Read by Docker and the like, not by the settings.
NOT_OURS = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "GRAFANA_PASSWORD", "DJANGO_SETTINGS_MODULE"}


def _id(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", PAGES, ids=_id)
def test_every_command_a_page_names_exists(document):
    named = {match.group(1) for match in COMMAND.finditer(document.read_text())}
    assert sorted(named - set(get_commands())) == []


@pytest.mark.parametrize("document", PAGES, ids=_id)
def test_every_option_a_page_gives_a_command_exists(document):
    commands = get_commands()
    wrong = []
    for match in COMMAND.finditer(document.read_text()):
        name, options = match.group(1), match.group(2).split()
        if options and name in commands:
            parser = load_command_class(commands[name], name).create_parser("manage.py", name)
            known = {option for action in parser._actions for option in action.option_strings}
            wrong += [f"{name} {option}" for option in options if option not in known]
    assert wrong == []


@pytest.mark.parametrize("document", PAGES, ids=_id)
def test_every_link_of_a_page_leads_somewhere(document):
    inside = [target for target, _ in LINK.findall(document.read_text()) if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in inside if not (document.parent / target).exists()] == []


def test_the_configuration_page_is_in_step_with_the_settings():
    assert configuration.is_in_step(), "docs/configuration.md differs from the settings: run `manage.py quality --fix`"


def test_every_option_says_what_it_means():
    assert [name for name, meaning in configuration.meanings().items() if len(meaning) < 10] == []


def test_the_configuration_page_names_what_the_settings_read_and_nothing_else():
    assert set(configuration.meanings()) == environment.setting_names()


def test_the_example_environment_names_what_the_settings_read_and_nothing_else():
    named = set(SHELL.findall((ROOT / ".env.example").read_text())) - NOT_OURS
    assert named == environment.setting_names()


@pytest.mark.parametrize("folder", ["webhooks", "automation", "workflows", "healing", "config/kernel", "config/acts"])
def test_every_app_says_what_to_read_before_working_on_it(folder):
    assert "| Working on | Read |" in (ROOT / folder / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md", "docs/glossary.md"])
def test_the_pages_a_newcomer_looks_for_exist(name):
    assert len((ROOT / name).read_text()) > 500


@pytest.mark.parametrize("word", ["**Rooms.**", "**Tests**", "**Watching.**", "**Security.**", "its line in the documents", "MIT"])
def test_contributing_says_what_a_change_needs(word):
    assert word in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_licence_is_mit():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
