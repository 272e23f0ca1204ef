"""Which IP addresses are the public internet. All others are refused, each for a reason with a name.

The tables follow IANA's special-purpose address registries, stricter where those allow a use that no public document
has. Python's own `is_private` and `is_global` differ between releases, so nothing here depends on them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Literal

Address = IPv4Address | IPv6Address
Rule = Literal[
    "malformed",
    "scheme",
    "credentials",
    "port",
    "numeric_host",
    "loopback",
    "private",
    "link_local",
    "shared",
    "multicast",
    "unspecified",
    "metadata",
    "embedded",
    "reserved",
]
"""Why a URL is not fetched; the words of the API."""

_V4: tuple[tuple[str, Rule], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("100.64.0.0/10", "shared"),
    ("169.254.0.0/16", "link_local"),
    ("168.63.129.16/32", "metadata"),  # Azure's host agent, on an address that looks public
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("198.18.0.0/15", "reserved"),
    ("198.51.100.0/24", "reserved"),
    ("203.0.113.0/24", "reserved"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
_V6: tuple[tuple[str, Rule], ...] = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "embedded"),  # IPv4-mapped
    ("::ffff:0:0:0/96", "embedded"),  # IPv4-translated (SIIT)
    ("::/96", "embedded"),  # IPv4-compatible
    ("64:ff9b::/96", "embedded"),  # NAT64
    ("64:ff9b:1::/48", "embedded"),  # NAT64, local use
    ("2002::/16", "embedded"),  # 6to4
    ("2001::/32", "embedded"),  # Teredo
    ("fe80::/10", "link_local"),
    ("fec0::/10", "private"),
    ("fc00::/7", "private"),  # with the metadata service at fd00:ec2::254
    ("ff00::/8", "multicast"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "reserved"),
    ("3fff::/20", "reserved"),
)
_TABLE = tuple((ip_network(text), rule) for text, rule in (*_V4, *_V6))
_GLOBAL_V6 = ip_network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The upper half of an interface id whose lower half is an IPv4 address (RFC 5214)."""


def refusal(address: Address) -> Rule | None:
    """Why an address may not be reached, or None for one of the public internet."""
    for network, rule in _TABLE:
        if address.version == network.version and address in network:
            return rule
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "link_local"
        if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "embedded"
        if address not in _GLOBAL_V6:
            return "reserved"
    return None
