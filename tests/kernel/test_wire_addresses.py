# ruff: noqa: RUF001 - look-alikes of plain characters are what is tested
"""Which URLs and addresses may be called: hostile spellings, exceptions, trusted targets."""

import pytest

from config.kernel.flow.errors import InvalidInput
from config.kernel.wire import addresses

pytestmark = pytest.mark.pure

HOSTILE_HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00127.0.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    "127.0.0.0x1",
    "4294967295",
    "99999999999",
    "0",
    "0x",
    "0.0.0.0",
    "1.2.3.4.5",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:8.8.8.8]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[2001::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2620:4f:8000::1]",
    "[3ffe::1]",
    "[3fff::1]",
    "[4000::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[v1.fe80::1]",
    "[127.0.0.1]",
    "[]",
    "[::1].example.com",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "ip6-localhost",
    "app.localhost",
    "127.0.0.1%00.example.com",
    "127%2e0%2e0%2e1",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "１２７.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "①②⑦.⓪.⓪.①",
    "١٢٧.٠.٠.١",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌocalhost",
    "example。com",
    "exam\u200bple.com",
    "exa\u00admple.com",
    "bad_.-.example.com",
    "-example.com",
    "a..example.com",
    ".example.com",
    "ex!ample.com",
    "a" * 64 + ".example.com",
]


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_hostile_spelling_of_a_host_is_refused_with_one_sentence(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses.check_url(f"https://{host}/hook")

    assert caught.value.fields["url"] == [caught.value.message]
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_hostile_spelling_is_refused_with_a_port_too(host: str) -> None:
    assert addresses.refusal(f"https://{host}:8443/hook")


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "no URL"),
        ("example.com/hook", "https://"),
        ("//example.com/hook", "https://"),
        ("ftp://example.com/hook", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://example.com/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https:example.com", "no host"),
        ("https:///hook", "no host"),
        ("https://:443/hook", "no host"),
        ("https://?x=1", "no host"),
        ("http://example.com/hook", "plain http"),
        ("https://user@example.com/", "user name"),
        ("https://user:word@example.com/", "user name"),
        ("https://example.com@127.0.0.1/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com#@127.0.0.1/", "fragment"),
        ("https://example.com/hook#part", "fragment"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https:\\\\example.com\\", "backslash"),
        (" https://example.com/", "invisible"),
        ("https://exam ple.com/", "invisible"),
        ("https://example.com/a\tb", "invisible"),
        ("https://example.com/a\r\nHost: x", "invisible"),
        ("https://example.com/\x00", "invisible"),
        ("https://example.com/\u202egnp", "invisible"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:99999999/", "port"),
        ("https://example.com:-1/", "port"),
        ("https://example.com:８０/", "port"),
        ("https://example.com:80:80/", "port"),
        ("https://[::1/", "not a URL"),
        ("https://example.com/" + "a" * 2000, "2,020 characters"),
    ],
)
def test_malformed_url_is_refused_and_the_sentence_says_why(url: str, word: str) -> None:
    assert word in addresses.refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com./hook",
        "HTTPS://Example.COM:8443/Hook?a=1&b=%20",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "https://bücher.example/hook",
        "https://xn--bcher-kva.example/hook",
        "https://sub-domain.my_service.example.com/a/b/c?d=e@f",
        "https://1and1.example.com/",
        "https://0x7f.example.com/",
        "https://example.com:/hook",
    ],
)
def test_public_url_is_taken(url: str) -> None:
    addresses.check_url(url)


def test_plain_http_is_taken_where_it_is_allowed(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True

    addresses.check_url("http://example.com/hook")


def test_allowing_http_does_not_allow_private_addresses(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True

    assert "loopback" in addresses.refusal("http://127.0.0.1/hook")


@pytest.mark.parametrize(
    ("entry", "ip", "port", "expected"),
    [
        ("127.0.0.0/8", "127.0.0.1", 1, True),
        ("127.0.0.1", "127.0.0.1", 9, True),
        ("127.0.0.1", "127.0.0.2", 9, False),
        ("127.0.0.1/8", "127.9.9.9", 9, True),
        ("127.0.0.1/32:8000", "127.0.0.1", 8000, True),
        ("127.0.0.1/32:8000", "127.0.0.1", 8001, False),
        ("10.0.0.0/8:443", "10.1.2.3", 443, True),
        ("::1", "::1", 5, True),
        ("fd00::/8", "fd12::1", 5, True),
        ("[::1]:8000", "::1", 8000, True),
        ("[::1]:8000", "::1", 8001, False),
        ("[fd00::]/8:443", "fd12::1", 443, True),
        ("[fd00::/8]:443", "fd12::1", 80, False),
        (" 127.0.0.1 ", "127.0.0.1", 9, True),
        ("127.0.0.1", "::ffff:127.0.0.1", 9, False),
        ("localhost", "127.0.0.1", 9, False),
        ("127.0.0.1:http", "127.0.0.1", 80, False),
        ("", "127.0.0.1", 80, False),
        ("*", "127.0.0.1", 80, False),
        ("0.0.0.0/0:80", "10.0.0.1", 80, True),
    ],
)
def test_exception_lets_exactly_its_network_and_port_through(settings, entry: str, ip: str, port: int, expected: bool) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [entry]

    assert addresses.is_allowed(ip, port) is expected


def test_exception_also_holds_for_literals_in_urls(settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32:8000"]

    assert addresses.refusal("https://127.0.0.1:8000/in") == ""
    assert addresses.refusal("https://localhost:8000/in") == ""
    assert "loopback" in addresses.refusal("https://127.0.0.1:8001/in")
    assert "this machine" in addresses.refusal("https://localhost:8001/in")


@pytest.mark.parametrize("ip", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_address_is_allowed(ip: str) -> None:
    assert addresses.is_allowed(ip, 443)


@pytest.mark.parametrize("ip", ["", "example.com", "127.1", "0x7f000001", "fe80::1%1", "8.8.8.8 ", "2a00:1450::1%eth0"])
def test_what_is_no_plain_address_is_denied(ip: str) -> None:
    assert not addresses.is_allowed(ip, 443)


def test_denial_names_the_closest_kind() -> None:
    assert addresses.denial("255.255.255.255", 80) == "255.255.255.255 is the broadcast address"
    assert addresses.denial("2001::1", 80) == "2001::1 is a Teredo address"
    assert addresses.denial("::1", 80) == "::1 is a loopback address"


def test_trusted_target_is_scheme_host_and_port_together(settings) -> None:
    settings.STEWARD_TRUSTED_TARGETS = ["http://127.0.0.1:8000", "https://Prometheus.internal"]

    assert addresses.trusted_target("http://127.0.0.1:8000/inbox/1?x=2")
    assert addresses.trusted_target("https://prometheus.internal:443/api")
    assert not addresses.trusted_target("https://127.0.0.1:8000/")
    assert not addresses.trusted_target("http://127.0.0.1:8001/")
    assert not addresses.trusted_target("http://127.0.0.1:8000@evil.example/")
    assert not addresses.trusted_target("http://127.1:8000/")
    assert not addresses.trusted_target("nonsense")


def test_trusted_target_needs_neither_https_nor_a_public_address(settings) -> None:
    settings.STEWARD_TRUSTED_TARGETS = ["http://127.0.0.1:8000"]

    addresses.check_url("http://127.0.0.1:8000/inbox/1")


def test_unreadable_trusted_target_trusts_nothing(settings, caplog) -> None:
    settings.STEWARD_TRUSTED_TARGETS = ["not a url", "https://ok.example"]

    assert not addresses.trusted_target("https://other.example/")
    assert addresses.trusted_target("https://ok.example/")
    assert "wire.trusted_target_unreadable" in caplog.text


def test_no_sentence_repeats_a_password() -> None:
    assert "hunter2" not in addresses.refusal("https://me:hunter2@example.com/?token=hunter2")
