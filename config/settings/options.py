"""Settings that a person may change while Steward runs: the environment gives the default, a row overrides it."""

from typing import Any

# name → kind, default, bounds, unit and a sentence for the page that shows it. Read with `options.get(name)`.
OPTIONS: dict[str, dict[str, Any]] = {
    "WEBHOOK_MAX_TIMEOUT": {"kind": int, "default": 300, "min": 1, "max": 3600, "unit": "s", "help": "The longest timeout an endpoint may ask for."},
    "WEBHOOK_DEFAULT_TIMEOUT": {"kind": int, "default": 30, "min": 1, "max": 300, "unit": "s", "help": "The timeout of an endpoint that names none."},
    "WEBHOOK_DEFAULT_RETRIES": {"kind": int, "default": 3, "min": 0, "max": 50, "unit": "", "help": "Retries after the first attempt, for an endpoint that names none."},
    "WEBHOOK_DEFAULT_RETRY_DELAY": {"kind": int, "default": 5, "min": 0, "max": 86400, "unit": "s", "help": "Base delay between attempts, for an endpoint that names none."},
    "WEBHOOK_CLEANUP_DAYS": {"kind": int, "default": 7, "min": 1, "max": 3650, "unit": "days", "help": "How long deliveries and their attempts are kept after their end."},
    "WEBHOOK_SECRET_LENGTH": {"kind": int, "default": 32, "min": 24, "max": 64, "unit": "bytes", "help": "Random bytes in a generated secret."},
    "REQUIRE_WEBHOOK_AUTH": {"kind": bool, "default": True, "unit": "", "help": "Refuse endpoints whose deliveries carry no authentication."},
    "WEBHOOK_ROTATION_HOURS": {"kind": int, "default": 24, "min": 0, "max": 720, "unit": "h", "help": "How long an old secret keeps signing after a rotation."},
    "WEBHOOK_BREAKER_THRESHOLD": {"kind": int, "default": 5, "min": 1, "max": 1000, "unit": "", "help": "Failures in a row that open the breaker of an endpoint or a dependency."},
    "WEBHOOK_BREAKER_RECOVERY": {"kind": int, "default": 60, "min": 1, "max": 86400, "unit": "s", "help": "How long an open breaker lets nothing pass before its one trial."},
    "WEBHOOK_AUTO_DISABLE_DAYS": {"kind": int, "default": 5, "min": 0, "max": 365, "unit": "days", "help": "Days of unbroken failure after which an endpoint is disabled; 0 never."},
    "WEBHOOK_MAX_IN_FLIGHT": {"kind": int, "default": 16, "min": 1, "max": 1000, "unit": "", "help": "Requests open at once to one endpoint that names no number."},
    "WEBHOOK_ROTATE_REMINDER_DAYS": {"kind": int, "default": 180, "min": 0, "max": 3650, "unit": "days", "help": "Age at which a secret is shown as due for rotation; 0 never."},
    "INBOUND_MAX_BODY_BYTES": {"kind": int, "default": 26214400, "min": 1024, "max": 268435456, "unit": "bytes", "help": "The largest inbound body a source accepts unless it says otherwise."},
    "INBOUND_RATE_PER_SECOND": {"kind": int, "default": 200, "min": 1, "max": 100000, "unit": "/s", "help": "Requests per second a source accepts unless it says otherwise."},
    "INBOUND_RATE_BURST": {"kind": int, "default": 1000, "min": 1, "max": 100000, "unit": "", "help": "Requests a source accepts at once unless it says otherwise."},
    "API_RATE_PER_MINUTE": {"kind": int, "default": 6000, "min": 1, "max": 1000000, "unit": "/min", "help": "API calls one user may make in a minute."},
    "API_RATE_MANAGE_PER_MINUTE": {"kind": int, "default": 600, "min": 1, "max": 1000000, "unit": "/min", "help": "Calls that change endpoints or sources one user may make in a minute."},
    "EVENT_HOP_LIMIT": {"kind": int, "default": 8, "min": 1, "max": 64, "unit": "", "help": "Links in a chain of events causing events, past which an event is stored but not routed."},
    "EVENT_MAX_BYTES": {"kind": int, "default": 1048576, "min": 1024, "max": 26214400, "unit": "bytes", "help": "The largest event a program may publish."},
    "EVENT_RETENTION_DAYS": {"kind": int, "default": 30, "min": 1, "max": 3650, "unit": "days", "help": "How long events are kept."},
    "RECEIPT_BODY_RETENTION_DAYS": {"kind": int, "default": 7, "min": 1, "max": 3650, "unit": "days", "help": "How long the raw bodies of receipts are kept."},
    "RECEIPT_RETENTION_DAYS": {"kind": int, "default": 90, "min": 30, "max": 3650, "unit": "days", "help": "How long receipts, and with them replay protection, are kept."},
    "DEAD_LETTER_RETENTION_DAYS": {"kind": int, "default": 30, "min": 1, "max": 3650, "unit": "days", "help": "How long dead letters are kept."},
    "NOTIFICATION_RETENTION_DAYS": {"kind": int, "default": 90, "min": 1, "max": 3650, "unit": "days", "help": "How long notifications are kept."},
    "GITHUB_FAILED_CONCLUSIONS": {"kind": list, "default": ["failure", "timed_out"], "unit": "", "help": "Conclusions of a GitHub check that ask for an analysis."},
    "GITHUB_MAIN_BRANCHES": {"kind": list, "default": ["main", "master"], "unit": "", "help": "Branches whose pushes ask for an analysis."},
    "NOTIFY_EMAILS": {"kind": list, "default": [], "unit": "", "help": "Addresses that get a mail when something needs a person."},
    "NOTIFY_WEBHOOK_URL": {"kind": str, "default": "", "unit": "", "help": "A URL that gets a JSON POST when something needs a person."},
}
