"""Settings that run as they are: one process, SQLite, a memory broker, everything under DATA_DIR."""

from pathlib import Path
from typing import Any

import environ

from config.settings.database import CLIENT_NAME, database
from config.settings.options import OPTIONS  # noqa: F401 - read as settings.OPTIONS
from config.settings.secrets import load_or_make

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
# Tests point this at nothing, so that nobody's own .env decides their outcome.
environ.Env.read_env(env("ENV_FILE", default=str(BASE_DIR / ".env")))

DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
_made: Any = load_or_make(DATA_DIR) if not (env("SECRET_KEY", default="") and env("FIELD_ENCRYPTION_KEYS", default="")) else {}

# --- who we are -------------------------------------------------------------------------------
DEBUG = False
SECRET_KEY = env("SECRET_KEY", default="") or _made["secret_key"]
# By comma: the first encrypts, all decrypt. Never derived from SECRET_KEY.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[]) or _made["field_encryption_keys"]
AUDIT_KEY = env("AUDIT_KEY", default="") or _made.get("audit_key", "")
HOST = env("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# The address people reach this installation under, for links in messages and set-up help.
PUBLIC_URL = env("PUBLIC_URL", default=f"http://localhost:{PORT}").rstrip("/")
# Networks of reverse proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
# True only in the one-process set-up of `manage.py up`, which sets it: shows the inbox.
EMBEDDED = env.bool("STEWARD_EMBEDDED", default=False)
ADMIN_PASSWORD = env("ADMIN_PASSWORD", default="")

# --- rooms ------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_celery_results",
    "django_htmx",
    "config.kernel",
    "config.acts",
    "webhooks",
    "automation",
    "workflows",
    "healing",
    "config.apps.StewardAdminConfig",
    "config.apps.Roof",
]
MIDDLEWARE = [
    "config.doors.middleware.Correlation",
    "webhooks.inbound.Shortcut",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.doors.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.doors.middleware.Actor",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.dashboard.frame",
            ],
            "libraries": {"steward": "config.look.templatetags.steward"},
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Django apps of your own that hold plug-ins, by comma: their actions, samplers, processors … are found by file name.
STEWARD_APPS = env.list("STEWARD_APPS", default=[])
INSTALLED_APPS[-2:-2] = STEWARD_APPS

# --- where state lives ------------------------------------------------------------------------
DATABASE_URL = env("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'steward.sqlite3'}")
DATABASES = {"default": database(DATABASE_URL)}
REDIS_URL = env("REDIS_URL", default="")
REDIS_PASSWORD = env("REDIS_PASSWORD", default="")
if REDIS_URL:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "steward",
            "OPTIONS": {
                "socket_connect_timeout": 1,
                "socket_timeout": 1,
                "client_name": CLIENT_NAME,
                **({"password": REDIS_PASSWORD} if REDIS_PASSWORD else {}),
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- time and words ---------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", default="UTC")
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.look.formats"]
USE_I18N = False

# --- static files -----------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns of a folder that is missing
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- celery -----------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# What a worker is at when Redis goes away it brings to its end: rows are the truth, and ending a process costs a lease.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = TIME_ZONE
DJANGO_CELERY_BEAT_TZ_AWARE = True
if REDIS_URL:
    # Nudges are short; a lost one is made good by the sweep, so nothing waits for Redis for long.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "visibility_timeout": 3600,
        "unacked_restore_throttle": 1,
        "unacked_restore_limit": 100,
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "retry_on_timeout": True,
        "client_name": CLIENT_NAME,
    }
    if REDIS_PASSWORD:
        CELERY_BROKER_TRANSPORT_OPTIONS["password"] = REDIS_PASSWORD
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.05}
# How often the sweep looks for work whose nudge was lost (seconds).
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=2.0 if EMBEDDED else 5.0)

# --- the API ----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.kernel.desk.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.kernel.desk.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["config.doors.formats.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["config.doors.formats.Parser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.doors.formats.Pages",
    "DEFAULT_THROTTLE_CLASSES": ["config.doors.throttles.UserThrottle"],
    "DEFAULT_SCHEMA_CLASS": "config.doors.openapi.Schema",
    "EXCEPTION_HANDLER": "config.doors.problems.problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.doors.formats.Negotiation",
    "DEFAULT_METADATA_CLASS": None,
    # Times are left to the renderer, which writes them in UTC with milliseconds.
    "DATETIME_FORMAT": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Steward",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1(/webhooks)?",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.dashboard.openapi.complete"],
    # Without `validatorUrl` the page would show the document to a stranger's service.
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "validatorUrl": None,
        "docExpansion": "none",
        "filter": True,
        "defaultModelsExpandDepth": 0,
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatus": "webhooks.enums.DeliveryStatus.choices",
        "EndpointStatus": "webhooks.enums.EndpointStatus.choices",
        "SourceStatus": "webhooks.enums.SourceStatus.choices",
        "ReceiptStatus": "webhooks.enums.ReceiptStatus.choices",
        "ReplayStatus": "webhooks.enums.ReplayStatus.choices",
        "ErrorCode": "webhooks.enums.ErrorCode.choices",
        "EndpointRetryStrategy": "webhooks.enums.Strategy.choices",
        "ItemStatus": "automation.enums.ItemStatus.choices",
        "Priority": "config.acts.enums.Priority.choices",
        "ItemRetryStrategy": "automation.enums.RetryStrategy.choices",
        "InvocationStatus": [
            (word, word.replace("_", " "))
            for word in "pending awaiting_approval running waiting completed failed timeout refused cancelled undone".split()
        ],
        "ServiceState": ["running", "starting", "stopped", "failed", "unknown"],
        "ApprovalStatus": ["pending", "approved", "rejected", "expired"],
        "ExecutionStatus": "automation.enums.ExecutionStatus.choices",
        "PriorityWord": ["low", "normal", "high", "critical"],
        "BatchResultStatus": ["created", "duplicate", "refused"],
    },
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
}
# A body larger than this is refused by Django itself; inbound sources stream and have their own cap.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
# Says how many bytes a body sent to a path may have; asked before a large one is read, by servers that do not stream.
LARGEST_BODY = "webhooks.inbound.largest_body"

# --- what may go out --------------------------------------------------------------------------
# The only ways round HTTPS and the address guard.
WEBHOOK_ALLOW_HTTP = env.bool("WEBHOOK_ALLOW_HTTP", default=False)
WEBHOOK_ALLOWED_NETWORKS = env.list("WEBHOOK_ALLOWED_NETWORKS", default=[])
# scheme://host:port by comma: targets an operator vouches for, reached without the address rule.
STEWARD_TRUSTED_TARGETS = env.list("STEWARD_TRUSTED_TARGETS", default=[])
if EMBEDDED:
    # The inbox of the one-process set-up is on this very address; nothing else on this machine is let through.
    STEWARD_TRUSTED_TARGETS = [*STEWARD_TRUSTED_TARGETS, f"http://127.0.0.1:{PORT}"]

# --- what may be run and written on this machine -------------------------------------------------
# A JSON file outside of the database: name → argv, working folder, user. Rows choose by name; without it nothing is run.
STEWARD_COMMANDS_FILE = env("STEWARD_COMMANDS_FILE", default="")
# Folders by comma in which actions may remove and write files; links and `..` are resolved at each use.
STEWARD_WRITABLE_ROOTS = env.list("STEWARD_WRITABLE_ROOTS", default=[])
# Further folders, by comma, that a backup of files holds; those of STEWARD_WRITABLE_ROOTS are in it anyway.
BACKUP_FOLDERS = env.list("BACKUP_FOLDERS", default=[])
# The folder of pg_dump and pg_restore, where those on the path are not those of the server's version.
PG_BIN = env("PG_BIN", default="")

# --- who runs the services that are looked after; each is an operator target, and without it its controller is not configured
# unix:///path of a socket, or http://user:password@host:port, of a supervisord.
SUPERVISOR_URL = env("SUPERVISOR_URL", default="")
# The same for the Docker Engine; reading its socket is as good as being root.
DOCKER_HOST = env("DOCKER_HOST", default="")
KUBERNETES_API_URL = env("KUBERNETES_API_URL", default="").rstrip("/")
# Read at each call, since the cluster renews it.
KUBERNETES_TOKEN_FILE = env("KUBERNETES_TOKEN_FILE", default="/var/run/secrets/kubernetes.io/serviceaccount/token")
# Units by comma (`web.service`, `worker@`) that systemctl may be asked to restart, start and stop.
SYSTEMD_UNITS = env.list("SYSTEMD_UNITS", default=[])

# --- the outside world, all optional ----------------------------------------------------------
GITHUB_WEBHOOK_SECRET = env("GITHUB_WEBHOOK_SECRET", default="")
GITHUB_TOKEN = env("GITHUB_TOKEN", default="")
GITHUB_API_URL = env("GITHUB_API_URL", default="https://api.github.com").rstrip("/")
CODEGEN_TOKEN = env("CODEGEN_TOKEN", default="")
CODEGEN_ORG_ID = env("CODEGEN_ORG_ID", default="1")
# Slack's incoming webhook. Its URL is a secret and comes from here only.
SLACK_WEBHOOK_URL = env("SLACK_WEBHOOK_URL", default="")
# Targets of apprise (chat, SMS, push services), by comma. They hold secrets and are shown nowhere.
NOTIFY_APPRISE_URLS = env("NOTIFY_APPRISE_URLS", default="")
ENABLE_METRICS = env.bool("ENABLE_METRICS", default=True)
METRICS_TOKEN = env("METRICS_TOKEN", default="")
# How often a process adds its counts to the shared tallies; 0 leaves it to the end of a batch.
METRICS_FLUSH_SECONDS = env.float("METRICS_FLUSH_SECONDS", default=5.0)
ENABLE_TRACING = env.bool("ENABLE_TRACING", default=True)
# A Prometheus server whose values become series of ours: PROMETHEUS_QUERIES, a live option, says which.
PROMETHEUS_URL = env("PROMETHEUS_URL", default="").rstrip("/")
PROMETHEUS_TOKEN = env("PROMETHEUS_TOKEN", default="")
JAEGER_ENDPOINT = env("JAEGER_ENDPOINT", default="")
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
# Without a mail server nothing is sent, and a mail ends as `not configured`.
EMAIL_CONFIGURED = bool(env("EMAIL_URL", default=""))
# A mail server that hangs holds up a worker for this long (seconds).
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="steward@localhost")

# --- logs -------------------------------------------------------------------------------------
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
AUTOMATION_LOG_LEVEL = env("AUTOMATION_LOG_LEVEL", default=LOG_LEVEL)
# A folder for one JSON file a day and a plain engine.log, beside what goes to the standard error; empty: no files.
LOG_DIR = env("LOG_DIR", default="")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.kernel.watch.logs.JsonFormatter"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}},
    "root": {"handlers": ["stdout"], "level": LOG_LEVEL},
    "loggers": {
        "automation": {"level": AUTOMATION_LOG_LEVEL},
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "waitress": {"level": "WARNING"},
    },
}

if LOG_DIR:
    Path(LOG_DIR).mkdir(parents=True, exist_ok=True)
    LOGGING["formatters"]["text"] = {"()": "config.kernel.watch.logs.TextFormatter"}
    LOGGING["handlers"]["daily"] = {"class": "config.kernel.watch.logs.DailyFileHandler", "folder": LOG_DIR, "formatter": "json"}
    LOGGING["handlers"]["engine"] = {
        "class": "logging.handlers.WatchedFileHandler",
        "filename": f"{LOG_DIR}/engine.log",
        "formatter": "text",
    }
    LOGGING["root"]["handlers"] += ["daily", "engine"]

# --- browsers ---------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "config.doors.problems.csrf_failure"
