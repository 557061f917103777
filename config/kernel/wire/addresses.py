"""Decides which addresses may be called: URLs when they are typed, and every address again when a connection is made.

Called by `http` for each connection, and by services and forms when a person registers a URL.
"""

import logging
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from yarl import URL

from config.kernel.flow.errors import InvalidInput

log = logging.getLogger("kernel.wire")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2000
ONLY_PUBLIC = "Only public addresses may be called, and those in WEBHOOK_ALLOWED_NETWORKS."
DEFAULT_PORTS = {"http": 80, "https": 443}
# Our own list: Python's `is_global` calls many of these global.
_DENIED_BY_KIND = {
    "an unspecified address": "0.0.0.0/8 ::/128",
    "a loopback address": "127.0.0.0/8 ::1/128",
    "a private address": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
    "a unique local address": "fc00::/7",
    "a link-local address": "169.254.0.0/16 fe80::/10",
    "a site-local address": "fec0::/10",
    "a carrier's shared address": "100.64.0.0/10",
    "a cloud platform's own address": "168.63.129.16/32",
    "a multicast address": "224.0.0.0/4 ff00::/8",
    "a multicast relay": "192.52.193.0/24",
    "the broadcast address": "255.255.255.255/32",
    "a documentation address": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    "a benchmark address": "198.18.0.0/15 2001:2::/48",
    "a protocol assignment": "192.0.0.0/24 2001::/23 100:0:0:1::/64",
    "a name service sink": "192.31.196.0/24 192.175.48.0/24 2620:4f:8000::/48",
    "a discard address": "100::/64",
    "an IPv4 address in disguise": "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96",
    "a NAT64 address": "64:ff9b::/96 64:ff9b:1::/48",
    "a 6to4 address": "192.88.99.0/24 2002::/16",
    "a Teredo address": "2001::/32",
    "an ORCHID address": "2001:10::/28 2001:20::/28",
    "a segment routing address": "5f00::/16",
    "a returned test address": "3ffe::/16",
    # Of IPv6, only 2000::/3 is given out at all.
    "a reserved address": "240.0.0.0/4 ::/3 4000::/2 8000::/1",
}
# Narrow networks before the wide ones around them, so that the kind is the closest.
DENIED: tuple[tuple[Network, str], ...] = tuple(
    sorted(
        ((ip_network(network), kind) for kind, networks in _DENIED_BY_KIND.items() for network in networks.split()),
        key=lambda pair: -pair[0].prefixlen,
    )
)
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"})
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{0,5}))?")
_NAME = re.compile(r"(?=.{1,253}\.?\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?")
# A last label like this makes resolvers read the whole name as a number, however it is spelt.
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_EXCEPTION = re.compile(
    r"\[(?P<v6>[^\]]+)\](?P<bits>/[0-9]+)?(?::(?P<v6port>[0-9]{1,5}))?"
    r"|(?P<v4>[^:\[\]]+):(?P<v4port>[0-9]{1,5})"
    r"|(?P<plain>[^\[\]]+)"
)
_FULL_STOPS = "。．｡․"  # noqa: RUF001 - resolvers take these for full stops


@dataclass(frozen=True)
class _Origin:
    scheme: str
    host: str
    port: int


class _Refused(Exception):
    """Carries the sentence out of the checks."""


def check_url(url: str) -> None:
    """Raise InvalidInput with one sentence (field `url`) when this URL may not be called. No name is looked up."""
    sentence = refusal(url)
    if sentence:
        raise InvalidInput(sentence, fields={"url": [sentence]})


def refusal(url: str) -> str:
    """Why this URL may not be called, as one sentence; empty when it may. No name is looked up."""
    allowed, trusted = tuple(settings.WEBHOOK_ALLOWED_NETWORKS), tuple(settings.STEWARD_TRUSTED_TARGETS)
    return _refusal(url, bool(settings.WEBHOOK_ALLOW_HTTP), allowed, trusted)


def trusted_target(url: str) -> bool:
    """Whether scheme, host and port of `url` are one of STEWARD_TRUSTED_TARGETS, which an operator vouches for."""
    return _is_trusted(url, tuple(settings.STEWARD_TRUSTED_TARGETS))


def is_allowed(ip: str, port: int) -> bool:
    """Whether a connection to this address may be made: public, or excepted by WEBHOOK_ALLOWED_NETWORKS."""
    return not denial(ip, port)


def denial(ip: str, port: int) -> str:
    """What is wrong with calling this address, as a clause ("127.0.0.1 is a loopback address"); empty when nothing is."""
    try:
        address = ip_address(ip)
    except ValueError:
        return f"{ip[:60]!r} is not an address"
    return _denial(address, port, tuple(settings.WEBHOOK_ALLOWED_NETWORKS))


@lru_cache(maxsize=4096)
def _refusal(url: str, allow_http: bool, allowed: tuple[str, ...], trusted: tuple[str, ...]) -> str:
    try:
        origin = _origin(url)
        if origin in _trusted_origins(trusted):
            return ""
        if origin.scheme == "http" and not allow_http:
            raise _Refused("The URL must begin with https://; plain http is only taken where WEBHOOK_ALLOW_HTTP is set.")
        _check_host(origin, allowed)
    except _Refused as refused:
        return str(refused)
    return ""


@lru_cache(maxsize=4096)
def _is_trusted(url: str, trusted: tuple[str, ...]) -> bool:
    try:
        return _origin(url) in _trusted_origins(trusted)
    except _Refused:
        return False


@lru_cache(maxsize=8)
def _trusted_origins(trusted: tuple[str, ...]) -> frozenset[_Origin]:
    found = set()
    for entry in trusted:
        try:
            found.add(_origin(entry))
        except _Refused as refused:
            log.error("wire.trusted_target_unreadable", extra={"context": {"entry": entry, "reason": str(refused)}})
    return frozenset(found)


def _origin(url: str) -> _Origin:
    """Scheme, host (lower case, as written, brackets kept) and port. Read by hand, since parsers differ and gaps hide there."""
    _check_characters(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _Refused("This is not a URL that can be called. Write it as https://host/path.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _Refused("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise _Refused("The URL holds a user name or a password before the host. Leave it out; use a header for credentials.")
    if "#" in url:
        raise _Refused("The URL holds a fragment (#…), which is never sent. Leave it out.")
    found = _AUTHORITY.fullmatch(parts.netloc)
    if not found:
        raise _Refused("The host or the port of the URL cannot be read. Write it as https://host:port/path.")
    if not found[1]:
        raise _Refused("The URL names no host. Write it as https://host/path.")
    port = int(found[2]) if found[2] else DEFAULT_PORTS[parts.scheme]
    if not 0 < port < 65536:
        raise _Refused("The port of the URL must be between 1 and 65535.")
    return _Origin(parts.scheme, found[1].lower(), port)


def _check_characters(url: str) -> None:
    if not url:
        raise _Refused("There is no URL. Write it as https://host/path.")
    if len(url) > MAX_URL_LENGTH:
        raise _Refused(f"The URL has {len(url):,} characters; at most {MAX_URL_LENGTH:,} are taken.")
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise _Refused("The URL holds a space or an invisible character. Remove it or write it as %20.")
    if "\\" in url:
        raise _Refused("The URL holds a backslash. Write it with forward slashes.")


def _check_host(origin: _Origin, allowed: tuple[str, ...]) -> None:
    host = origin.host
    if "%" in host:
        raise _Refused("The host holds a percent sign (an escape or a zone). Write the plain name or address.")
    if host.startswith("["):
        _check_literal(IPv6Address, host[1:-1], origin.port, allowed)
        return
    name = _plain_name(host)
    if _NUMBER_LABEL.fullmatch(name.removesuffix(".").rpartition(".")[2]):
        _check_literal(IPv4Address, name, origin.port, allowed)
    elif name.removesuffix(".") in _LOCAL_NAMES or name.removesuffix(".").endswith(".localhost"):
        if all(_denial(ip_address(own), origin.port, allowed) for own in ("127.0.0.1", "::1")):
            raise _Refused(f"{name} is this machine itself. {ONLY_PUBLIC}")
    elif not _NAME.fullmatch(name):
        raise _Refused("The host of the URL is not a host name. Use letters, digits, hyphens and full stops.")


def _check_literal(kind: type[Address], text: str, port: int, allowed: tuple[str, ...]) -> None:
    """Strict: every spelling but the plain one means to get past a guard, or soon will."""
    try:
        address = kind(text)
    except ValueError:
        raise _Refused("The address is spelt in an unusual way. Write it like 192.0.2.1 or [2001:db8::1].") from None
    found = _denial(address, port, allowed)
    if found:
        raise _Refused(f"{found}. {ONLY_PUBLIC}")


def _plain_name(host: str) -> str:
    """The host in ASCII. International names are encoded; look-alikes of ASCII letters, digits and full stops are refused."""
    if host.isascii():
        return host
    folded = unicodedata.normalize("NFKC", host)
    if folded.isascii() or any(letter in _FULL_STOPS or (letter.isnumeric() and not letter.isascii()) for letter in host):
        raise _Refused("The host uses look-alikes of plain digits, letters or full stops. Write it with the plain ones.")
    try:
        return (URL.build(scheme="https", host=host).raw_host or "").lower()
    except ValueError:
        raise _Refused("The host of the URL is not a host name. Write it in its ASCII form (xn--…).") from None


def _denial(address: Address, port: int, allowed: tuple[str, ...]) -> str:
    if isinstance(address, IPv6Address) and address.scope_id:
        return f"{address} is bound to a network interface"
    if any(address in network and only in (0, port) for network, only in _exceptions(allowed)):
        return ""
    return next((f"{address} is {kind}" for network, kind in DENIED if address in network), "")


@lru_cache(maxsize=8)
def _exceptions(allowed: tuple[str, ...]) -> tuple[tuple[Network, int], ...]:
    """Entries `network`, `network:port`, `[v6]:port` or `[v6]/bits:port`. Port 0 stands for any. What cannot be read allows nothing."""
    found = []
    for entry in allowed:
        try:
            found.append(_exception(entry.strip()))
        except ValueError:
            log.error("wire.allowed_network_unreadable", extra={"context": {"entry": entry}})
    return tuple(found)


def _exception(entry: str) -> tuple[Network, int]:
    match = _EXCEPTION.fullmatch(entry)
    if not match:
        raise ValueError(entry)
    network = match["plain"] or match["v4"] or match["v6"] + (match["bits"] or "")
    return ip_network(network, strict=False), int(match["v4port"] or match["v6port"] or 0)
