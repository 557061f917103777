"""Every check of the code that is not a test: format, lint, types, import contracts, migrations, deployment, lock files, API schema."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

ROOT = Path(settings.BASE_DIR)
BIN = Path(sys.executable).parent
LISTS = ("base", "production", "dev", "browser")
# What must not be in a committed file: package indexes of one network, and folders of one machine.
PRIVATE = r"--(extra-)?index-url|--find-links|artifactory|(^|[^A-Za-z0-9_.$}-])/(work|root|Users|home/[a-z]+)/"
# Where such things stand as examples of what is looked for.
SPEAKS_OF_IT = (
    "config/kernel/management/commands/quality.py",
    "tests/kernel/test_command_quality.py",
    "tests/architecture/test_requirements.py",
    "tests/data",
)
# The environment under which the production settings must come up and pass the deployment check.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "deployment-check-" + "k3Yz" * 16,
    "FIELD_ENCRYPTION_KEYS": "ZGVwbG95bWVudC1jaGVjay1rZXktMDEyMzQ1Njc4OWE=",
    "AUDIT_KEY": "5a" * 32,
    "ALLOWED_HOSTS": "steward.example",
    "PUBLIC_URL": "https://steward.example",
    "ENV_FILE": os.devnull,
}


@dataclass(frozen=True)
class Result:
    """One check: `status` is ok, failed or skipped; `output` is what a person needs to mend it."""

    name: str
    status: str
    output: str = ""
    seconds: float = 0.0


class Command(BaseCommand):
    help = "Check format, lint, types, import contracts, migrations, deployment, lock files, API schema and private addresses."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="format, apply safe lint fixes and rewrite generated documents first")
        parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="only this check; may be given several times")
        parser.add_argument("--json", action="store_true", help="print the results as JSON")

    def handle(self, *, fix: bool, only: list[str], json: bool, **_: Any) -> None:
        if fix:
            _fix()
        chosen = {name: check for name, check in CHECKS.items() if not only or name in only}
        with tempfile.TemporaryDirectory(prefix="steward-quality-") as folder:
            os.environ["DATA_DIR"] = folder
            results = list(self._told(_all(chosen), quiet=json))
        if json:
            self.stdout.write(_as_json(results))
        failed = [result.name for result in results if result.status == "failed"]
        if not json:
            self.stdout.write(
                f"{len(results) - len(failed)} of {len(results)} checks passed" + (f"; mend: {', '.join(failed)}" if failed else "")
            )
        sys.exit(1 if failed else 0)

    def _told(self, results: Iterator[Result], *, quiet: bool) -> Iterator[Result]:
        for result in results:
            if not quiet:
                self.stdout.write(f"{result.status:8}{result.name:14}{result.seconds:6.1f} s")
                if result.status != "ok" and result.output:
                    self.stdout.write("\n".join(f"        {line}" for line in result.output.splitlines()))
            yield result


def _all(checks: dict[str, Callable[[], Result]]) -> Iterator[Result]:
    """In the order of the table, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(_timed, checks.values())


def _timed(check: Callable[[], Result]) -> Result:
    started = time.monotonic()
    return replace(check(), seconds=round(time.monotonic() - started, 2))


def _run(name: str, argv: Sequence[str | Path], **variables: str) -> Result:
    done = subprocess.run(
        [str(word) for word in argv], cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    return Result(name, "failed" if done.returncode else "ok", f"{done.stdout}{done.stderr}".strip())


def _manage(name: str, *argv: str, **variables: str) -> Result:
    return _run(name, [sys.executable, "-W", "ignore", "manage.py", *argv], **variables)


def _format() -> Result:
    return _run("format", [BIN / "ruff", "format", "--check", "--quiet", "."])


def _lint() -> Result:
    return _run("lint", [BIN / "ruff", "check", "."])


def _types() -> Result:
    return _run("types", [BIN / "mypy"])


def _imports() -> Result:
    return _run("imports", [BIN / "lint-imports", "--no-logo"])


def _migrations() -> Result:
    return _manage("migrations", "makemigrations", "--check", "--dry-run")


def _deployment() -> Result:
    return _manage("deployment", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)


def _schema() -> Result:
    with tempfile.NamedTemporaryFile(suffix=".yml") as file:
        return _manage("schema", "spectacular", "--validate", "--fail-on-warn", "--file", file.name)


def _documents() -> Result:
    from tests.support import configuration

    if configuration.is_in_step():
        return Result("documents", "ok")
    return Result("documents", "failed", "docs/configuration.md differs from the settings: run `manage.py quality --fix`")


def _private() -> Result:
    elsewhere = [f":!{path}" for path in SPEAKS_OF_IT]
    found = _run("private", ["git", "grep", "-nIE", "-e", PRIVATE, "--", ".", *elsewhere])
    status = "ok" if not found.output else "failed"
    return Result("private", status, found.output)


def _locks() -> Result:
    """Compiles each list again, starting from the present pins, so that only what the .in file asks for can change."""
    uv = str(BIN / "uv")
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        for name in LISTS:
            compiled = _compile(uv, name, Path(folder) / f"{name}.txt")
            if compiled.status == "failed":
                return Result("locks", "skipped", f"the package index does not answer: {compiled.output[-300:]}")
            if compiled.output:
                stale.append(name)
    sentence = f"requirements/{{{','.join(stale)}}}.txt differ from their .in files: compile them as CONTRIBUTING.md says"
    return Result("locks", "failed", sentence) if stale else Result("locks", "ok")


def _compile(uv: str, name: str, target: Path) -> Result:
    """`output` is not empty when the result differs from what is committed."""
    committed = ROOT / "requirements" / f"{name}.txt"
    shutil.copy(committed, target)
    options = "--universal --generate-hashes --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11"
    done = subprocess.run(
        [uv, "pip", "compile", *options.split(), "--quiet", f"{name}.in", "--output-file", target],
        cwd=ROOT / "requirements", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        # No solution is a fault of ours, no answer is not.
        unsolvable = "No solution found" in done.stderr
        return Result("locks", "ok" if unsolvable else "failed", done.stderr)
    return Result("locks", "ok", "" if target.read_text() == committed.read_text() else "differs")


def _fix() -> None:
    from tests.support import configuration

    subprocess.run([BIN / "ruff", "check", "--fix", "--quiet", "."], cwd=ROOT, check=False)
    subprocess.run([BIN / "ruff", "format", "--quiet", "."], cwd=ROOT, check=False)
    configuration.write()


def _as_json(results: list[Result]) -> str:
    return json.dumps({"ok": all(r.status != "failed" for r in results), "checks": [asdict(r) for r in results]}, indent=2)


CHECKS: dict[str, Callable[[], Result]] = {
    "format": _format,
    "lint": _lint,
    "types": _types,
    "imports": _imports,
    "migrations": _migrations,
    "deployment": _deployment,
    "schema": _schema,
    "documents": _documents,
    "locks": _locks,
    "private": _private,
}
