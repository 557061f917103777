"""The form of an endpoint: where, what, how it is signed, how hard we try, how fast, filter. Called by the dashboard and the admin."""

from typing import Any

from django import forms

from config.kernel.desk import options
from config.look.fields import MONO, PLAIN_TYPING, PrettyJSON
from webhooks.enums import Security, Strategy
from webhooks.forms.fields import Asking, Delays, Headers, Lines
from webhooks.models import Endpoint

# What an empty field stands for: a live option and its unit.
DEFAULTS = {
    "timeout_seconds": ("WEBHOOK_DEFAULT_TIMEOUT", "s"),
    "retry_base_seconds": ("WEBHOOK_DEFAULT_RETRY_DELAY", "s"),
    "max_in_flight": ("WEBHOOK_MAX_IN_FLIGHT", ""),
    "auto_disable_days": ("WEBHOOK_AUTO_DISABLE_DAYS", "days"),
}


def _whole(label: str, help_text: str, least: int, most: int, *, required: bool = False, initial: int | None = None) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, min_value=least, max_value=most, required=required, initial=initial)


class EndpointForm(Asking):
    """All that a person may say of an endpoint. An empty number means the live option of that name."""

    layout = (
        ("Where", "", ("url", "description"), True),
        ("What", "", ("events",), True),
        ("How it is signed", "So that the receiver can tell that it comes from us.", ("security", "secret", "asymmetric", "headers"), True),
        (
            "How hard we try",
            "Any reply but 2xx within the time-out is a failure and is tried again.",
            (
                *("timeout_seconds", "max_attempts", "retry_strategy", "retry_base_seconds", "retry_max_delay_seconds"),
                *("retry_jitter", "retry_schedule", "auto_disable_days"),
            ),
            False,
        ),
        (
            "How fast",
            "What is too much is delayed, never dropped.",
            ("rate_per_minute", "max_in_flight", "ordering_key", "batch_enabled", "batch_size", "batch_max_wait_seconds"),
            False,
        ),
        ("Filter", "Events that do not pass are noted as skipped, with the reason.", ("filter_conditions",), False),
    )

    url = forms.CharField(
        label="URL",
        max_length=2000,
        widget=forms.TextInput(attrs={**PLAIN_TYPING, "inputmode": "url", "placeholder": "https://app.example.com/hooks"}),
        help_text="We POST there. HTTPS; addresses of private networks are refused unless an operator allowed them.",
    )
    description = forms.CharField(
        label="Description", max_length=300, required=False, help_text="What it is and whom to ask, for your colleagues."
    )
    events = Lines(
        label="Events",
        rows=4,
        help_text="One a line: an exact name, a prefix such as order.*, or * for all but inbound types, delivery.* and endpoint.*.",
    )

    security = forms.ChoiceField(label="Proof", choices=Security.choices, initial=Security.HMAC_SHA256)
    secret = forms.CharField(
        label="Secret",
        required=False,
        max_length=300,
        strip=False,
        widget=forms.TextInput(attrs=MONO),
        help_text="Leave it empty to have one made. It is shown once, after saving. For a bearer token or API key, this is the token.",
    )
    asymmetric = forms.BooleanField(
        label="Sign with ed25519 too",
        required=False,
        help_text="For receivers that should not hold a secret: they verify with our public key.",
    )
    headers = Headers(
        label="Extra headers",
        required=False,
        help_text="Name: value, one a line, sent with each request. Values are kept encrypted and never shown again.",
    )

    timeout_seconds = _whole("Time-out (seconds)", "For the whole request, from the look-up of the name to the last byte read.", 1, 3600)
    max_attempts = _whole("Attempts", "In all, the first included.", 1, 100)
    retry_strategy = forms.ChoiceField(
        label="Delay between attempts",
        choices=Strategy.choices,
        initial=Strategy.EXPONENTIAL,
        help_text="How it grows from one to the next.",
    )
    retry_base_seconds = _whole("First delay (seconds)", "What the strategy starts from.", 0, 86_400)
    retry_max_delay_seconds = _whole(
        "Longest delay (seconds)", "No wait is longer, Retry-After included.", 1, 604_800, required=True, initial=86_400
    )
    retry_jitter = forms.FloatField(
        label="Jitter (0 to 1)",
        min_value=0,
        max_value=1,
        initial=0,
        help_text="Each delay is lengthened by a random part of up to this share.",
    )
    retry_schedule = Delays(
        label="Schedule (seconds)",
        required=False,
        help_text="For the strategy schedule: the wait before each attempt, such as 0, 60, 900, 3600.",
    )
    auto_disable_days = _whole("Disable after (days)", "Of failure without a break; then people are told. 0: never.", 0, 365)

    rate_per_minute = _whole("Requests per minute", "Empty: no limit.", 1, 1_000_000)
    max_in_flight = _whole("Requests at once", "Open at the same time.", 1, 1000)
    ordering_key = forms.CharField(
        label="Ordering key",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=MONO),
        help_text="A dotted path in the data, such as order.id: events with the same value go one after another, in order.",
    )
    batch_enabled = forms.BooleanField(
        label="Send in batches", required=False, help_text="Several events in one request of the type events.batch."
    )
    batch_size = _whole("Events per batch", "At most.", 1, 1000, required=True, initial=100)
    batch_max_wait_seconds = _whole(
        "Wait for a batch (seconds)", "A batch that is not full leaves after this.", 0, 3600, required=True, initial=5
    )

    filter_conditions = PrettyJSON(
        label="Conditions",
        required=False,
        help_text='JSON on the data of the event; all must hold: {"amount": {"$gt": 100}, "country": {"$in": ["DE", "FR"]}}.',
    )

    def __init__(self, *args: Any, endpoint: Endpoint | None = None, **given: Any) -> None:
        if endpoint is not None:
            given["initial"] = {**_said_of(endpoint), **given.get("initial", {})}
        super().__init__(*args, **given)
        if endpoint is not None:
            del self.fields["secret"]  # changed by rotation, which keeps the old one in use for a while
            _headers(self).stored = _stored_headers(endpoint)
        for name, (option, unit) in DEFAULTS.items():
            self.fields[name].widget.attrs["placeholder"] = f"{options.get(option)} {unit}".strip() + " (default)"
        self.fields["max_attempts"].widget.attrs["placeholder"] = f"{options.get('WEBHOOK_DEFAULT_RETRIES') + 1} (default)"


def _headers(form: forms.Form) -> Headers:
    field = form.fields["headers"]
    assert isinstance(field, Headers)
    return field


def _stored_headers(endpoint: Endpoint) -> dict[str, str]:
    stored: Any = endpoint.headers or {}
    return dict(stored)


def _said_of(endpoint: Endpoint) -> dict[str, Any]:
    names = [name for _, _, fields, _ in EndpointForm.layout for name in fields if name not in ("secret", "asymmetric")]
    return {**{name: getattr(endpoint, name) for name in names}, "asymmetric": bool(endpoint.signing_key)}
