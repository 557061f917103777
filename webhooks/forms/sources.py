"""The form of a source: who sends, how it proves itself, how much is taken. Called by the dashboard and the admin."""

from typing import Any

from django import forms

from config.kernel.desk import options
from config.look.fields import MONO, PLAIN_TYPING, PrettyJSON
from webhooks.engine import presets
from webhooks.enums import Preset
from webhooks.forms.fields import Asking
from webhooks.models import Source

DEFAULTS = {"rate_per_second": "INBOUND_RATE_PER_SECOND", "rate_burst": "INBOUND_RATE_BURST", "max_body_bytes": "INBOUND_MAX_BODY_BYTES"}


class SourceForm(Asking):
    """All that a person may say of a source. An empty number means the live option of that name."""

    layout = (
        ("Who sends", "", ("preset", "slug", "name"), True),
        ("How it proves itself", "", ("secret", "config"), True),
        ("How much is taken", "Past the limits the sender hears 429 or 413.", ("rate_per_second", "rate_burst", "max_body_bytes"), False),
        ("Missed deliveries", "GitHub does not send again by itself; we can ask it to.", ("github_hook",), False),
    )

    preset = forms.ChoiceField(
        label="Sender",
        choices=Preset.choices,
        help_text="Decides which headers and which signature are expected. Not listed: HMAC fits most.",
    )
    slug = forms.CharField(
        label="Short name",
        max_length=48,
        widget=forms.TextInput(attrs=MONO),
        help_text="The last part of its address (/in/…) and the first part of its events' names. It cannot be changed later.",
    )
    name = forms.CharField(label="Name", max_length=120, required=False, help_text="What people call it, such as “Shop payments”.")
    secret = forms.CharField(
        label="Secret",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs=MONO),
        help_text="Leave it empty to have one made, shown once. Stripe, Slack and Shopify make it themselves: enter theirs, now or later.",
    )
    config = PrettyJSON(label="Settings of this sender", required=False, rows=4)
    rate_per_second = forms.FloatField(label="Requests per second", required=False, min_value=0.001, max_value=100_000)
    rate_burst = forms.IntegerField(label="Requests at once", required=False, min_value=1, max_value=100_000)
    max_body_bytes = forms.IntegerField(label="Largest body (bytes)", required=False, min_value=1, max_value=268_435_456)
    github_hook = forms.CharField(
        label="Hook at GitHub",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={**MONO, **PLAIN_TYPING, "placeholder": "repos/OWNER/NAME/hooks/ID"}),
        help_text="Needs GITHUB_TOKEN. Every five minutes its deliveries are compared with ours, and what we never got is asked for.",
    )

    def __init__(self, *args: Any, source: Source | None = None, **given: Any) -> None:
        if source is not None:
            names = [name for _, _, fields, _ in self.layout for name in fields if name not in ("slug", "secret")]
            given["initial"] = {**{name: getattr(source, name) for name in names}, **given.get("initial", {})}
        super().__init__(*args, **given)
        if source is not None:
            del self.fields["slug"], self.fields["secret"]
        for name, option in DEFAULTS.items():
            self.fields[name].widget.attrs["placeholder"] = f"{options.get(option)} (default)"
        self.fields["config"].help_text = _config_help(str(self["preset"].value() or ""))


def _config_help(preset: str) -> str:
    allowed = presets.settings_of(preset) if preset in presets.PRESETS else ()
    if allowed:
        return f'JSON. This sender has: {", ".join(allowed)}. Example: {{"{allowed[0]}": "…"}}. Empty: the usual ones.'
    return "JSON. Only for senders whose header names differ, such as HMAC and bearer; leave it empty for GitHub and Slack."
