"""How values are written for people: states, ids, times, sizes. Pure; called by the template tags and the admin."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

NOTHING = "\N{EN DASH}"

# Parts of our names that people do not write in lower case.
SPELT = {
    "github": "GitHub",
    "api": "API",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "cpu": "CPU",
    "url": "URL",
    "json": "JSON",
    "p95": "95th percentile",
}

# Which colour and shape a state's word gets. A word that is missing here is drawn as `off`.
TONES = {
    "ok": "healthy delivered accepted sent active closed completed enabled success ok resolved routed done good valid applied approved",
    "bad": "critical dead rejected failed error bad open invalid blocked firing refused expired blocked_url timeout",
    "held": "warning paused retrying held half_open duplicate degraded due high waiting unrouted suppressed"
    " pending_approval awaiting_approval",
    "info": "sending processing pending running queued info normal started",
}
_TONE_OF = {word: tone for tone, words in TONES.items() for word in words.split()}

# One shape per tone, so that colour is never the only sign: tick, cross, bars, ring, dash.
_SOFT = 'fill="currentColor" opacity=".16"'
_LINE = 'fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"'
_SHAPES = {
    "ok": f'<circle cx="8" cy="8" r="7" {_SOFT}/><path d="M4.8 8.3l2.2 2.2 4.3-4.7" {_LINE}/>',
    "bad": f'<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" {_SOFT}/><path d="M5.6 5.6l4.8 4.8m0-4.8l-4.8 4.8" {_LINE}/>',
    "held": f'<rect x="1.5" y="1.5" width="13" height="13" rx="3" {_SOFT}/><path d="M6.2 5.2v5.6M9.8 5.2v5.6" {_LINE}/>',
    "info": f'<circle cx="8" cy="8" r="5.6" stroke-dasharray="2.6 1.8" {_LINE}/><circle cx="8" cy="8" r="2" fill="currentColor"/>',
    "off": f'<path d="M3.5 8h9" {_LINE}/>',
}


def tone_of(word: str) -> str:
    """`ok, bad, held, info` or `off` for a state's word."""
    return _TONE_OF.get(str(word).lower().replace(" ", "_"), "off")


def shape(tone: str) -> SafeString:
    """The sign of a tone, as SVG in the colour of the text around it."""
    drawing = SafeString(_SHAPES.get(tone, _SHAPES["off"]))
    return format_html('<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">{}</svg>', drawing)


def status(word: Any, *, tone: str = "", label: str = "", pill: bool = False) -> SafeString:
    """A state as word, shape and colour. `label` is shown instead of the word, which still chooses the tone."""
    found = tone or tone_of(str(word))
    extra = " status--pill" if pill else ""
    return format_html('<span class="status status--{}{}">{}{}</span>', found, extra, shape(found), label or str(word).replace("_", " "))


def short(text: str, *, head: int = 8, tail: int = 6) -> str:
    """Shortened in the middle: `evt_01h2…k3x9zq`. A text that would not get shorter stays whole."""
    return text if len(text) <= head + tail + 2 else f"{text[:head]}…{text[-tail:]}"


def plain(name: str) -> str:
    """A name of ours as people write it: `half_open` → `half open`, `github_api` → `GitHub API`."""
    return " ".join(SPELT.get(part, part) for part in name.split("_"))


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`, `in 2 h`; the date beyond thirty days."""
    seconds = round((now - moment).total_seconds())
    size = abs(seconds)
    if size < 2:
        return "now"
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (2592000, 86400, "d")):
        if size < limit:
            text = f"{size // unit} {name}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return moment.strftime("%d %b %Y")


def exact(moment: datetime) -> str:
    """To the second, with its zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: float | None) -> str:
    """Bytes with a decimal unit: `512 B`, `1.2 kB`, `3.4 MB`."""
    if count is None:
        return NOTHING
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def milliseconds(length: float | None) -> str:
    """A length of time given in milliseconds: `0.4 ms`, `12 ms`, `1.23 s`, `2 min 5 s`."""
    if length is None:
        return NOTHING
    if length < 1000:
        return f"{length:.1f} ms" if length < 10 else f"{length:.0f} ms"
    if length < 60_000:
        return f"{length / 1000:.2f} s"
    minutes, seconds = divmod(round(length / 1000), 60)
    return f"{minutes} min {seconds} s"


def measured(value: float | None, unit: str = "") -> str:
    """A measured value with its unit, as short as it stays true: `81.2 %`, `1.2 MB/s`, `38 ms`, `0.25 /s`, `12`."""
    if value is None:
        return NOTHING
    if unit == "bytes":
        return size(value)
    if unit == "bytes/s":
        return f"{size(value)}/s"
    if unit == "s":
        return milliseconds(value * 1000) if value else "0 s"
    shown = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return f"{shown} {unit}".rstrip()


def lasting(seconds: float | None) -> str:
    """A length of time given in seconds, in its two largest units: `12 s`, `2 min 5 s`, `3 h 20 min`, `2 d 1 h`."""
    if seconds is None:
        return NOTHING
    rest, parts = max(round(seconds), 1), []
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, unit)
        parts.append(f"{count} {name}" if count else "")
    first = next(index for index, part in enumerate(parts) if part)
    return " ".join(part for part in parts[first : first + 2] if part)


def percent(share: float | None) -> str:
    """A share from 0 to 1 as `99.2 %`. Never rounded up to 100 nor down to 0 when it is neither."""
    if share is None:
        return NOTHING
    shown = round(share * 100, 1)
    if shown == 100 and share < 1:
        shown = 99.9
    if shown == 0 and share > 0:
        shown = 0.1
    return f"{shown:.0f} %" if shown in (0, 100) else f"{shown:.1f} %"


_TEXT = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"(?P<key>{_TEXT})(?=:)|(?P<text>{_TEXT})|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>true|false|null)")
_CLASS = {"key": "k", "text": "s", "number": "n", "word": "w"}
COLOURED_CHARACTERS = 200_000


def json_text(value: Any) -> str:
    """Indented JSON of a value, or of bytes or text that hold JSON; what is no JSON comes back as it is."""
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode("utf-8", errors="replace")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def json_html(value: Any) -> SafeString:
    """`json_text`, escaped, with keys, texts, numbers and words marked for colour (not in very long ones)."""
    text = json_text(value)
    if len(text) > COLOURED_CHARACTERS:
        return SafeString(escape(text))
    parts, end = [], 0
    for found in _TOKEN.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(format_html('<span class="{}">{}</span>', _CLASS[found.lastgroup or "text"], found.group()))
        end = found.end()
    return SafeString("".join([*parts, escape(text[end:])]))
