"""Every management command of ours explains itself and can answer in JSON."""

import argparse
import importlib
import pkgutil
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent


def our_commands() -> dict[str, str]:
    """Command → the app that has it."""
    found = {}
    for config in apps.get_app_configs():
        if not Path(config.path).is_relative_to(ROOT) or "site-packages" in config.path:
            continue
        folder = Path(config.path) / "management" / "commands"
        found.update(
            {name: config.name for _, name, is_package in pkgutil.iter_modules([str(folder)]) if not is_package and name[0] != "_"}
        )
    return found


COMMANDS = our_commands()
# These run until they are ended and have no result to print; what they do goes to the log, a JSON object a line.
ENDLESS = {"up", "web", "worker", "beat"}


def _parsers(name: str) -> list[argparse.ArgumentParser]:
    """The command's parser, or those of its sub-commands."""
    parser = load_command_class(COMMANDS[name], name).create_parser("manage.py", name)
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [sub for action in below for sub in action.choices.values()] or [parser]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    command = load_command_class(COMMANDS[name], name)
    assert len(command.help.strip()) > 20, f"manage.py {name} needs a `help` that says what it does"
    assert command.create_parser("manage.py", name).format_help().startswith("usage: manage.py " + name)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - ENDLESS))
def test_every_command_with_a_result_can_answer_in_json(name):
    without = [parser.prog for parser in _parsers(name) if "--json" not in parser._option_string_actions]
    assert without == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name):
    assert [f"{parser.prog}: {action.dest}" for parser in _parsers(name) for action in parser._actions if not action.help] == []


def test_our_commands_win_over_those_of_the_framework():
    assert {name: get_commands()[name] for name in COMMANDS} == COMMANDS


def test_no_command_does_work_when_it_is_imported():
    modules = [importlib.import_module(f"{app}.management.commands.{name}") for name, app in COMMANDS.items()]
    assert [module.__name__ for module in modules if not hasattr(module, "Command")] == []
