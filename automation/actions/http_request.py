"""Makes an HTTP request."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from automation.services.effects import calling
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import JSON, Words
from config.kernel.flow.outcomes import Outcome
from config.kernel.wire import redact

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
STATUS = re.compile(r"[1-5](\d\d|xx)")
# What the connection itself decides.
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class HttpRequest(Action):
    """To public addresses and operator targets only; redirects are not followed; of the reply 32 kB are kept."""

    title = "Make an HTTP request"
    about = "Calls a URL and keeps the reply. Without the expected status it has failed; methods that may be repeated are tried again."
    runs = "inline"
    effect = "once"
    timeout_seconds = 310

    class Parameters(forms.Form):
        """The request."""

        method = forms.ChoiceField(choices=[(name, name) for name in METHODS], initial="GET")
        url = forms.CharField(max_length=2000)
        headers = JSON(kind=dict, required=False, widget=forms.PasswordInput, help_text='Name and value: {"Authorization": "Bearer …"}.')
        json = JSON(required=False, help_text="Sent as the body, as JSON.")
        body = forms.CharField(required=False, max_length=100_000, strip=False, widget=forms.Textarea, help_text="Sent as it is.")
        expected_statuses = Words(required=False, initial=["2xx"], max_items=20, help_text="Such as 200, 204 or 2xx.")
        timeout_seconds = forms.FloatField(min_value=0.1, max_value=300, initial=30)

        def clean_headers(self) -> dict[str, str]:
            """Names as HTTP has them, values of one line."""
            given = self.cleaned_data["headers"] or {}
            for name, value in given.items():
                if not NAME.fullmatch(name) or name.lower() in OURS:
                    raise forms.ValidationError(f"{name[:100]!r} cannot be set as a header.")
                if not isinstance(value, str) or not value.isprintable():
                    raise forms.ValidationError(f"The value of {name} must be a text of one line.")
            return dict(given)

        def clean_expected_statuses(self) -> list[str]:
            """`2xx` where nothing is said."""
            given = self.cleaned_data["expected_statuses"] or ["2xx"]
            if wrong := [word for word in given if not STATUS.fullmatch(word.lower())]:
                raise forms.ValidationError(f"{wrong[0][:20]!r} is no status; write such as 200 or 2xx.")
            return [word.lower() for word in given]

        def clean(self) -> dict[str, Any]:
            """One body, not two."""
            if self.cleaned_data.get("json") is not None and self.cleaned_data.get("body"):
                raise forms.ValidationError("Give `json` or `body`, not both.")
            return self.cleaned_data

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Once; TemporaryError has it tried again."""
        headers, body = dict(params["headers"] or {}), params["body"].encode()
        named = {name.lower() for name in headers}
        if params["json"] is not None:
            body = orjson.dumps(params["json"])
            if "content-type" not in named:
                headers["Content-Type"] = "application/json"
        if "idempotency-key" not in named:
            # A receiver that heeds it does the same call once only.
            headers["Idempotency-Key"] = call.key or call.id
        wanted = calling.Wanted(params["method"], params["url"], headers, body, params["timeout_seconds"], params["expected_statuses"])
        return calling.call(wanted)

    def summary(self, params: Mapping[str, Any]) -> str:
        """Method and URL, without secrets."""
        return f"{params['method']} {redact.url(params['url'])}"


actions.register("automation.http_request", HttpRequest(), module=__name__)
