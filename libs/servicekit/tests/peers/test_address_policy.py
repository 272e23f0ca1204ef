from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.peers.address_policy import AddressPolicy, AddressRefused, without_credentials

POLICY = AddressPolicy.of("80,443")
PUBLIC_V4 = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def rule(url: str, policy: AddressPolicy = POLICY) -> str | None:
    """The rule by which a URL is refused."""
    try:
        policy.target(url)
    except AddressRefused as refused:
        return refused.rule
    return None


@given(st.ip_addresses(v=4))
def test_every_numeric_spelling_of_an_address_is_refused(address: IPv4Address) -> None:
    number, parts = int(address), [int(part) for part in str(address).split(".")]
    spellings = [
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(hex(part) for part in parts),
        ".".join(f"0{part:o}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
        f"{parts[0]}.{parts[1]}.{parts[2]}.0x{parts[3]:x}",
    ]
    assert [rule(f"http://{spelling}/") for spelling in spellings] == ["numeric_host"] * len(spellings)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://127.0.0.1./", "loopback"),
        ("http://localhost/", "loopback"),
        ("http://LOCALHOST./", "loopback"),
        ("http://a.localhost/", "loopback"),
        ("http://2130706433/", "numeric_host"),
        ("http://0177.0.0.1/", "numeric_host"),
        ("http://0x7f.1/", "numeric_host"),
        ("http://127.1/", "numeric_host"),
        ("http://0/", "numeric_host"),
        ("http://256.256.256.256/", "numeric_host"),
        ("http://foo.1/", "numeric_host"),
        ("http://①②⑦.⓪.⓪.①/", "loopback"),
        ("http://１２７.0.0.1/", "loopback"),
        ("http://127。0。0。1/", "loopback"),
        ("http://127%2e0%2e0%2e1/", "malformed"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "embedded"),
        ("http://[::ffff:7f00:1]/", "embedded"),
        ("http://[fe80::1%25eth0]/", "link_local"),
        ("http://[fd00:ec2::254]/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "link_local"),
        ("http://user@example.org/", "credentials"),
        ("http://user:secret@example.org/", "credentials"),
        ("http://@example.org/", "credentials"),
        ("http://example.org@127.0.0.1/", "credentials"),
        ("http://127.0.0.1#@example.org/", "loopback"),
        ("http://127.0.0.1?@example.org/", "loopback"),
        ("http://example.org\\@127.0.0.1/", "malformed"),
        ("http://example.org:22/", "port"),
        ("http://example.org:0/", "malformed"),
        ("http://example.org:99999/", "malformed"),
        ("ftp://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.org/", "scheme"),
        ("//example.org/", "scheme"),
        ("example.org", "scheme"),
        ("http:///x", "malformed"),
        ("http://", "malformed"),
        ("", "malformed"),
        ("http://exa mple.org/", "malformed"),
        ("http://example.org/\r\nX: 1", "malformed"),
        ("http://h\tost/", "malformed"),
        ("http://a..b/", "malformed"),
        ("http://example.org../", "malformed"),
        ("http://-a.org/", "malformed"),
        (f"http://{'a' * 64}.org/", "malformed"),
        (f"http://example.org/{'a' * 2000}", "malformed"),
        ("https://example.org/a.pdf", None),
        ("HTTPS://Example.ORG:443/a.pdf", None),
        ("http://bücher.example/ü?q=ü", None),
        (f"http://{PUBLIC_V4}/", None),
        (f"http://[{PUBLIC_V6}]/", None),
        ("http://0x7f.example.org/", None),
    ],
)
def test_each_form_of_a_url_has_its_rule(url: str, expected: str | None) -> None:
    assert rule(url) == expected


def test_what_is_called_has_one_spelling() -> None:
    assert str(POLICY.target(" HTTPS://Example.ORG.:443/a b#top".replace(" b", "%20b"))) == "https://example.org/a%20b"
    assert POLICY.target("http://BÜCHER.example/").raw_host == "xn--bcher-kva.example"


def test_an_operator_can_allow_hosts_with_and_without_a_port_and_networks() -> None:
    policy = AddressPolicy.of("80", "Wiki.Intra:9000, 10.1.2.3, [::1]:81", "10.20.0.0/16,fd00:1::/64")
    private = ip_address("10.9.9.9")
    assert policy.target("http://wiki.intra:9000/").port == 9000
    policy.check("wiki.intra", 9000, private)
    assert rule("http://wiki.intra:9001/", policy) == "port"
    with pytest.raises(AddressRefused):
        policy.check("wiki.intra", 80, private)  # only that port was named
    assert rule("http://10.1.2.3/", policy) is None
    assert rule("http://10.1.2.3:81/", policy) == "port"
    assert rule("http://[::1]:81/", policy) is None
    assert rule("http://10.20.3.4/", policy) is None
    assert rule("http://10.21.3.4/", policy) == "private"
    assert rule("http://[fd00:1::9]/", policy) is None


@pytest.mark.parametrize(
    "wrong",
    [
        ("80,http", "", ""),
        ("70000", "", ""),
        ("80", "http://wiki.intra", ""),
        ("80", "wiki.intra/path", ""),
        ("80", "2130706433", ""),
        ("80", "", "10.0.0.1/8"),
    ],
)
def test_a_word_that_makes_no_sense_is_an_error(wrong: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        AddressPolicy.of(*wrong)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.org/a.pdf#page=2", "https://example.org/a.pdf"),
        ("https://example.org/a?page=2&token=abc&X-Amz-Signature=1&api_key=2", "https://example.org/a?page=2"),
        ("https://example.org/a?monkey=1&sig=2", "https://example.org/a?monkey=1"),
    ],
)
def test_a_source_shows_no_secrets(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
