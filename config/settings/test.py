"""Settings of the test suite: fast passwords, mails kept in memory, fixed keys, nothing outside."""

import os
import tempfile
from urllib.parse import urlsplit

# Set before base reads the environment: tests never see a developer's data, secrets or .env.
os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="steward-test-"))
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=")
os.environ.setdefault("AUDIT_KEY", "0" * 64)
# Actions of every temper, as a third party would add them.
os.environ.setdefault("STEWARD_APPS", "tests.support.acting")

# pytest-django gives each worker of pytest-xdist its own database; this gives it its own Redis database as well.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and os.environ.get("REDIS_URL"):
    _url = urlsplit(os.environ["REDIS_URL"])
    _number = (int(_url.path.strip("/") or 0) + 1 + int(_worker.removeprefix("gw"))) % 16
    os.environ["REDIS_URL"] = _url._replace(path=f"/{_number}").geturl()

from config.settings.base import *  # noqa: E402, F403
from config.settings.base import DATA_DIR, DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in life: an in-memory database is shared between threads by locks that the real one does not have.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    _options = DATABASES["default"]["OPTIONS"]
    _options["init_command"] = _options["init_command"].replace("synchronous=FULL", "synchronous=OFF")

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
EMAIL_CONFIGURED = True
ALLOWED_HOSTS = ["*"]
# No thread writes beside a test: it would be outside of the test's transaction.
METRICS_FLUSH_SECONDS = 0
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# whitenoise warns about a missing folder; nothing is collected for tests.
(DATA_DIR / "static").mkdir(parents=True, exist_ok=True)
