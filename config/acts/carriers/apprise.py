"""The channel `apprise`: chat, SMS and push services by the URLs in NOTIFY_APPRISE_URLS, which only an administrator can set.
Apprise has a transport of its own, so it runs in a process that is ended at a deadline."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import orjson
from django.conf import settings

from config.kernel.flow.errors import TemporaryError
from config.kernel.models import Notification
from config.kernel.plugins.contracts import NotConfigured, carriers
from config.kernel.watch import throttle

SEND_SECONDS = 30
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")


class Apprise:
    """A target can fail by itself, so each has a row; it is named by what tells nothing of its URL but the scheme."""

    def is_configured(self) -> bool:
        """There are targets."""
        return bool(_urls())

    def targets(self, recipients: Sequence[str]) -> list[list[str]]:
        """All of them, whoever else is told."""
        return [[name] for name in _urls()] or [[]]

    def send(self, row: Notification) -> None:
        """The URL goes into the process by a pipe: a command line can be read by others."""
        name = row.recipients[0] if row.recipients else ""
        url = _urls().get(name)
        if not url:
            raise NotConfigured("NOTIFY_APPRISE_URLS is not set, or no longer holds this target.")
        code, said = _run(orjson.dumps({"url": url, "title": row.title, "body": throttle.text(row), "urgency": row.urgency}))
        if code is None:
            raise TemporaryError(f"{name} did not take the message within {SEND_SECONDS} s.")
        if code:
            raise TemporaryError(f"{name} did not take the message. {said[:500]}".strip())


def _urls() -> dict[str, str]:
    """By name, such as `slack-1f9c02ab`."""
    urls = [url for url in _BETWEEN_URLS.split(settings.NOTIFY_APPRISE_URLS.strip()) if "://" in url]
    return {f"{url.partition('://')[0].lower()}-{hashlib.sha256(url.encode()).hexdigest()[:8]}": url for url in urls}


def _run(told: bytes) -> tuple[int | None, str]:
    """Exit status, None when it was ended at its deadline, and what it printed."""
    argv = [sys.executable, "-m", "config.acts.carriers.apprise_child"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=settings.BASE_DIR, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as child:
        try:
            said, _ = child.communicate(told, timeout=SEND_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            return None, ""
    return child.returncode, said.decode(errors="replace")


carriers.register("acts.apprise", Apprise(), module=__name__)
