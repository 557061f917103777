"""What to type at each vendor so that it sends here. Pure text; shown beside a source."""

from collections.abc import Callable, Mapping, Sequence

from webhooks.engine.presets import EITHER, STAMPED, Rules

_CHECK = "Send a test from there. It appears under Receipts within a second; if it is refused, the receipt says why."


def steps(preset: str, url: str, rules: Rules) -> Sequence[str]:
    """The steps at the sender, in order, with the address in them."""
    return [*_STEPS[preset](url, rules), _CHECK]


def _github(url: str, _rules: Rules) -> list[str]:
    return [
        "On GitHub open the repository or organisation: Settings, Webhooks, Add webhook.",
        f"Payload URL: {url}",
        "Content type: application/json (application/x-www-form-urlencoded is understood too).",
        "Secret: the secret of this source. Keep SSL verification on.",
        "Choose “Let me select individual events”: Pull requests, Check runs, Check suites, Pushes. Leave Active ticked.",
        "GitHub does not send again by itself: enter repos/OWNER/NAME/hooks/ID here and set GITHUB_TOKEN; missed deliveries are asked for.",
    ]


def _gitlab(url: str, _rules: Rules) -> list[str]:
    return [
        "In GitLab open the project or group: Settings, Webhooks, Add new webhook.",
        f"URL: {url}",
        "Secret token: the secret of this source.",
        "Tick the events you want, and keep SSL verification on.",
    ]


def _stripe(url: str, _rules: Rules) -> list[str]:
    return [
        "In Stripe open Developers, Webhooks, Add destination, and choose the events.",
        f"Endpoint URL: {url}",
        "Copy the signing secret that Stripe shows (whsec_…) into this source; until then everything is refused with 503.",
    ]


def _slack(url: str, _rules: Rules) -> list[str]:
    return [
        "On api.slack.com open your app: Basic Information. Copy the signing secret into this source first.",
        f"Event Subscriptions: switch on, Request URL: {url} (Slack's challenge is answered).",
        "Subscribe to bot events, save, and reinstall the app.",
    ]


def _shopify(url: str, _rules: Rules) -> list[str]:
    return [
        "In the Shopify admin open Settings, Notifications, Webhooks, Create webhook, format JSON.",
        f"URL: {url}",
        "Copy the secret that the page shows (or your app's client secret) into this source.",
    ]


def _standard(url: str, _rules: Rules) -> list[str]:
    return [
        "At any sender that follows Standard Webhooks (Svix and others) add an endpoint.",
        f"URL: {url}",
        "Secret: copy it from this source to the sender, or the sender's (whsec_…) into this source.",
    ]


def _alertmanager(url: str, _rules: Rules) -> list[str]:
    return [
        "In alertmanager.yml add a receiver with webhook_configs.",
        f"url: {url}",
        "http_config: authorization: type: Bearer, credentials: the secret of this source.",
        "Reload Alertmanager. A repeated notification without a change counts as a duplicate.",
    ]


def _hmac(url: str, rules: Rules) -> list[str]:
    stamp = rules.timestamp_headers[0] if rules.timestamp_headers else ""
    lines = [
        f"Post JSON to {url}",
        f"Header {rules.headers[0]}: {rules.prefix}{{{rules.encoding} of HMAC-{rules.algorithm.upper()} with the secret of this source}}.",
    ]
    if rules.signed in (EITHER, STAMPED) and stamp:
        must = "must be" if rules.signed == STAMPED else "should be"
        lines.append(f"Header {stamp}: Unix seconds; at most {rules.tolerance_seconds} s off.")
        lines.append(f"Signed {must}: the time, a full stop, then the raw body.")
    else:
        lines.append("Signed is the raw body.")
    return lines + _names(rules)


def _bearer(url: str, rules: Rules) -> list[str]:
    return [f"Post JSON to {url}", "Header Authorization: Bearer and the secret of this source.", *_names(rules)]


def _basic(url: str, rules: Rules) -> list[str]:
    return [
        f"Post JSON to {url}",
        "Basic authentication with the user and password of this source (its secret reads user:password).",
        *_names(rules),
    ]


def _names(rules: Rules) -> list[str]:
    lines = []
    if rules.id_headers:
        lines.append(f"Header {rules.id_headers[0]}: an id of your own, the same when you send again; then a repeat does nothing.")
    if rules.event_headers or rules.event_paths:
        where = f"header {rules.event_headers[0]}" if rules.event_headers else f"{rules.event_paths[0]} in the body"
        lines.append(f"The name of the event: {where}.")
    return lines


_STEPS: Mapping[str, Callable[[str, Rules], list[str]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "stripe": _stripe,
    "slack": _slack,
    "shopify": _shopify,
    "standard": _standard,
    "alertmanager": _alertmanager,
    "hmac": _hmac,
    "bearer": _bearer,
    "basic": _basic,
}
