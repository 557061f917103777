"""Settings of an installation that others can reach: its own secrets, HTTPS only. `manage.py check --deploy` is clean under them."""

from django.core.exceptions import ImproperlyConfigured

from config.settings import base
from config.settings.base import *  # noqa: F403
from config.settings.base import env

for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
    if not env(name, default=""):
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment; `.env.example` says how to make one.")

# False only for a trial without TLS: log-ins then travel in the clear.
HTTPS = env.bool("HTTPS", default=True)
SECURE_SSL_REDIRECT = HTTPS
# Probes and scrapers of the same network ask without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^metrics$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
if base.TRUSTED_PROXIES:
    # Whoever stands in front sets this header itself and drops what the client sent.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Subdomains and browsers' built-in lists are a decision about the whole domain, which is not ours to make.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
