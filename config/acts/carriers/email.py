"""The channel `email`: to the recipients, or to NOTIFY_EMAILS; the only one that takes a file along."""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage

from config.kernel.desk import options
from config.kernel.models import Notification
from config.kernel.plugins.contracts import NotConfigured, attachers, carriers
from config.kernel.watch import throttle


class Email:
    """One message to all of them."""

    def is_configured(self) -> bool:
        """Somebody is to get what names nobody."""
        return bool(options.get("NOTIFY_EMAILS"))

    def targets(self, recipients: Sequence[str]) -> list[list[str]]:
        """Those that are addresses."""
        return [[one for one in recipients if "@" in one] or options.get("NOTIFY_EMAILS")]

    def send(self, row: Notification) -> None:
        """By the server in EMAIL_URL."""
        if not settings.EMAIL_CONFIGURED:
            raise NotConfigured("EMAIL_URL is not set, so no mail can be sent.")
        if not row.recipients:
            raise NotConfigured("NOTIFY_EMAILS is empty, so there is nobody to send a mail to.")
        # A header holds no line breaks; Django refuses them as an attempt to add headers.
        mail = EmailMessage(" ".join(row.title.split()), throttle.text(row), settings.DEFAULT_FROM_EMAIL, row.recipients)
        if row.attachment:
            kind, _, uid = row.attachment.partition(":")
            attached = attachers.get(kind)(uid)
            mail.attach(attached.name, attached.body, attached.content_type)
        mail.send()


carriers.register("acts.email", Email(), module=__name__)
