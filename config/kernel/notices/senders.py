"""One function per channel: sends a row, or says what it lacks. Called by `watch.notifications`, whose duty tries again."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import orjson
from django.conf import settings
from django.core.mail import EmailMessage

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import TemporaryError
from config.kernel.models import Notification
from config.kernel.notices import throttle
from config.kernel.plugins.contracts import attachers
from config.kernel.wire import http

Channel = Notification.Channel

SEND_SECONDS = 10
APPRISE_SECONDS = 30
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")


class NotConfigured(Exception):
    """The channel lacks what it needs; the message names it."""


def send(row: Notification) -> None:
    """Send it on its channel. Raises NotConfigured; TemporaryError, SMTPException or OSError when trying again may help."""
    _SENDERS[row.channel](row)


def apprise_targets() -> dict[str, str]:
    """The URLs that an administrator gave, by a name that tells nothing of them but their scheme: `slack-1f9c02ab`."""
    urls = [url for url in _BETWEEN_URLS.split(settings.NOTIFY_APPRISE_URLS.strip()) if "://" in url]
    return {f"{url.partition('://')[0].lower()}-{hashlib.sha256(url.encode()).hexdigest()[:8]}": url for url in urls}


def _text(row: Notification) -> str:
    link = f"{settings.PUBLIC_URL}{row.link}" if row.link.startswith("/") else row.link
    return "\n\n".join(part for part in (throttle.in_full(row), link) if part) or row.title


def _mail(row: Notification) -> None:
    if not settings.EMAIL_CONFIGURED:
        raise NotConfigured("EMAIL_URL is not set, so no mail can be sent.")
    if not row.recipients:
        raise NotConfigured("NOTIFY_EMAILS is empty, so there is nobody to send a mail to.")
    # A header holds no line breaks; Django refuses them as an attempt to add headers.
    mail = EmailMessage(" ".join(row.title.split()), _text(row), settings.DEFAULT_FROM_EMAIL, row.recipients)
    if row.attachment:
        kind, _, uid = row.attachment.partition(":")
        attached = attachers.get(kind)(uid)
        mail.attach(attached.name, attached.body, attached.content_type)
    mail.send()


def _webhook(row: Notification) -> None:
    url = options.get("NOTIFY_WEBHOOK_URL")
    if not url:
        raise NotConfigured("NOTIFY_WEBHOOK_URL is not set.")
    body = {name: getattr(row, name) for name in ("title", "urgency", "link", "subject", "count")}
    body |= {"id": row.uid, "message": throttle.in_full(row), "created_at": clock.text(row.created_at)}
    _post(url, body, what="The webhook")


def _slack(row: Notification) -> None:
    """An incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""
    if not settings.SLACK_WEBHOOK_URL:
        raise NotConfigured("SLACK_WEBHOOK_URL is not set, so nothing can be sent to Slack.")
    # Slack takes no more than 40,000 characters, and `&`, `<`, `>` are its mark-up.
    text = _text(row) if row.title == row.message else f"{row.title}\n{_text(row)}" if row.message or row.link else row.title
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:40_000]
    body = {"channel": row.recipients[0], "text": safe} if row.recipients else {"text": safe}
    _post(settings.SLACK_WEBHOOK_URL, body, what="Slack", is_operator_target=True)


def _post(url: str, body: object, *, what: str, is_operator_target: bool = False) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "Steward"}
    asked = http.Request("POST", url, headers, orjson.dumps(body), SEND_SECONDS, is_operator_target=is_operator_target)
    reply = http.send(asked)
    if reply.error_code:
        raise TemporaryError(f"{what} could not be called: {reply.error}")
    if reply.status is None or not 200 <= reply.status < 300:
        raise TemporaryError(f"{what} answered with status {reply.status}.")


def _apprise(row: Notification) -> None:
    """Apprise has a transport of its own, so it runs in a process that is ended at a deadline; its URL goes in by a pipe."""
    name = row.recipients[0] if row.recipients else ""
    url = apprise_targets().get(name)
    if not url:
        raise NotConfigured("NOTIFY_APPRISE_URLS is not set, or no longer holds this target.")
    told = orjson.dumps({"url": url, "title": row.title, "body": _text(row), "urgency": row.urgency})
    argv = [sys.executable, "-m", "config.kernel.notices.apprise_child"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=settings.BASE_DIR, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as child:
        try:
            said, _ = child.communicate(told, timeout=APPRISE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise TemporaryError(f"{name} did not take the message within {APPRISE_SECONDS} s.") from None
    if child.returncode:
        raise TemporaryError(f"{name} did not take the message. {said.decode(errors='replace')[:500]}".strip())


def _dashboard(row: Notification) -> None:
    """A row is all that the dashboard needs."""


_SENDERS: dict[str, Callable[[Notification], None]] = {
    Channel.EMAIL: _mail,
    Channel.WEBHOOK: _webhook,
    Channel.SLACK: _slack,
    Channel.APPRISE: _apprise,
    Channel.DASHBOARD: _dashboard,
}
