"""Finds plug-ins by file name in every installed app, so that a third party adds one by installing a Django app."""

import importlib
import pkgutil
from importlib.util import find_spec

from django.apps import apps

# Frameworks whose modules happen to have such names (`rest_framework.routers`) hold no plug-ins of ours.
FOREIGN = ("django", "rest_framework", "drf_spectacular", "whitenoise")

# A module or a package of these names in an app is imported; of a package, every module in it.
ROOMS = (
    "event_types",
    "subscribers",
    "tasks",
    "dashboard",
    "actions",
    "triggers",
    "checks",
    "fixers",
    "carriers",
    "controllers",
    "routers",
    "processors",
    "samplers",
)


def discover() -> None:
    """Import the plug-in rooms of all installed apps. Called once, when the kernel is ready."""
    for config in apps.get_app_configs():
        if config.name.startswith(FOREIGN):
            continue
        for room in ROOMS:
            _import_room(f"{config.name}.{room}")


def _import_room(name: str) -> None:
    if find_spec(name) is None:
        return
    room = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(room, "__path__", [])):
        importlib.import_module(f"{name}.{found.name}")
