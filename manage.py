#!/usr/bin/env python3
"""The one command: makes its own environment, then runs what it is told. `python3 manage.py up` starts everything."""

import os
import sys

from config import bootstrap


def main() -> None:
    """Run a management command in Steward's environment."""
    bootstrap.ensure(sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
    if sys.argv[1:2] == ["up"]:
        # Settings are read before the command is: they must know that web, worker and schedule are one process.
        os.environ.setdefault("STEWARD_EMBEDDED", "true")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        assert settings.INSTALLED_APPS
    except (ImproperlyConfigured, ValueError) as problem:
        sys.exit(f"The settings cannot be used: {problem}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
