"""What a URL that somebody else chose may reach: first by its form, then by each address of its host."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from servicekit.peers.address_ranges import Address, Rule, refusal

MAX_URL_CHARS = 2000
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://([^/?#]*)")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SECRET = re.compile(
    r"x-(?:amz|goog|oss|cos)-.*|awsaccesskeyid|googleaccessid|sig|sign|signature|auth|authorization|(?:.*[-_])?"
    r"(?:token|key|apikey|password|passwd|pwd|secret|credential|credentials)",
    re.IGNORECASE,
)


_REFUSALS: dict[Rule, str] = {
    "malformed": "it is not a complete URL of at most 2,000 characters, for example https://example.org/handbook.pdf",
    "scheme": "only http and https are fetched",
    "credentials": "it names a user",
    "port": "its port is not allowed",
    "numeric_host": "its host is a number or an IPv4 address that is not written as four decimal numbers",
    "loopback": "its host is this machine itself",
    "private": "its host is in a private network",
    "link_local": "its host has a link-local address, as metadata services have",
    "shared": "its host is in a provider's shared address space",
    "multicast": "its host has a multicast address",
    "unspecified": "its host has an unspecified address",
    "metadata": "its host is a cloud's metadata service",
    "embedded": "its host has an IPv6 address with an IPv4 address in it",
    "reserved": "its host has an address that is reserved",
}


class AddressRefused(Exception):
    """A URL may not be called. `rule` names why, `why` says it in words; neither has an address in it."""

    def __init__(self, rule: Rule, why: str | None = None) -> None:
        super().__init__(rule)
        self.rule: Rule = rule
        self.why = why or _REFUSALS[rule]


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be reached: the public internet on some ports, and what an operator named."""

    ports: frozenset[int]
    hosts: frozenset[tuple[str, int | None]] = frozenset()
    """Hosts that may have any address; without a port, on the allowed ports."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Addresses that are allowed though they are not public."""

    @classmethod
    def of(cls, ports: str, hosts: str = "", networks: str = "") -> AddressPolicy:
        """From the settings' comma-separated words; raises `ValueError` for one that makes no sense."""
        return cls(
            frozenset(_port(word) for word in _words(ports)),
            frozenset(_host(word) for word in _words(hosts)),
            tuple(ip_network(word) for word in _words(networks)),
        )

    def target(self, text: str) -> URL:
        """The URL to call, its host lower-case ASCII and its fragment gone; raises `AddressRefused`.

        A host that is an address has been checked; one that is a name must be, by `check`, once it is resolved.
        """
        url = _parsed(text)
        host = _canonical_host(url.raw_host or "")
        url = url.with_host(host).with_fragment(None)
        port = url.port or 0
        if port not in self.ports and (host, port) not in self.hosts:
            raise AddressRefused("port", f"port {port} is not one of {', '.join(map(str, sorted(self.ports)))}")
        if host == "localhost" or host.endswith(".localhost"):
            self.check(host, port, IPv4Address("127.0.0.1"))
        elif (literal := _literal(host)) is not None:
            self.check(host, port, literal)
        return url

    def check(self, host: str, port: int, address: Address) -> None:
        """Raise `AddressRefused` unless `address`, which belongs to `host`, may be reached."""
        if (host, port) in self.hosts or (host, None) in self.hosts:
            return
        if any(address.version == network.version and address in network for network in self.networks):
            return
        if (rule := refusal(address)) is not None:
            raise AddressRefused(rule)


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user, no fragment, no query parameter that is named like a secret."""
    parsed = URL(url).with_user(None).with_fragment(None)
    return str(parsed.without_query_params(*(name for name in parsed.query if _SECRET.fullmatch(name))))


def _parsed(text: str) -> URL:
    text = text.strip()
    if not text or len(text) > MAX_URL_CHARS or _UNSAFE.search(text):
        raise AddressRefused("malformed")
    if "@" in (found.group(1) if (found := _AUTHORITY.match(text)) else ""):
        raise AddressRefused("credentials")
    try:
        url = URL(text)
        port = url.port
    except (ValueError, UnicodeError):
        raise AddressRefused("malformed") from None
    if url.scheme not in ("http", "https"):
        raise AddressRefused("scheme")
    if not url.raw_host or not port:
        raise AddressRefused("malformed")
    return url


def _canonical_host(raw: str) -> str:
    """One spelling a host, so that what is checked and what is resolved are the same; raises `AddressRefused`.

    Decimal, octal, hexadecimal and shortened IPv4 addresses are refused in any case: resolvers read them differently.
    """
    if ":" in raw:
        return _ipv6(raw)
    host = raw.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("malformed")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise AddressRefused("numeric_host") from None
    return host


def _ipv6(raw: str) -> str:
    if "%" in raw:
        raise AddressRefused("link_local")  # only such addresses have a zone
    try:
        return str(IPv6Address(raw))
    except ValueError:
        raise AddressRefused("malformed") from None


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _words(text: str) -> Iterable[str]:
    return filter(None, (word.strip().lower() for word in text.split(",")))


def _port(word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) < 65536:
        raise ValueError(f"'{word}' is not a port")
    return int(word)


def _host(word: str) -> tuple[str, int | None]:
    """`wiki.intra`, `wiki.intra:9000`, `10.1.2.3`, `[fd00::1]:9000` or `fd00::1`."""
    bare = f"[{word}]" if word.count(":") > 1 and not word.startswith("[") else word
    try:
        url = URL(f"http://{bare}")
        if url.path != "/" or url.query_string or url.raw_user or not url.raw_host:
            raise ValueError(word)
        return _canonical_host(url.raw_host), url.explicit_port
    except (ValueError, UnicodeError, AddressRefused):
        raise ValueError(f"'{word}' is not a host or host:port") from None
