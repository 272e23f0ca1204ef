"""What is public of the internet, address by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.peers.address_ranges import refusal

PUBLIC_V4 = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "shared"),
        ("100.100.100.200", "shared"),
        ("169.254.169.254", "link_local"),
        ("169.254.170.2", "link_local"),
        ("168.63.129.16", "metadata"),
        ("192.0.0.192", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("198.51.100.1", "reserved"),
        ("203.0.113.1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", "embedded"),
        ("fe80::1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("fec0::1", "private"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "reserved"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
        ("::ffff:127.0.0.1", "embedded"),
        ("::ffff:93.184.215.14", "embedded"),
        ("::ffff:0:127.0.0.1", "embedded"),
        ("::127.0.0.1", "embedded"),
        ("64:ff9b::a9fe:a9fe", "embedded"),
        ("64:ff9b:1::1", "embedded"),
        ("2002:7f00:1::", "embedded"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "embedded"),
        ("2606:2800::5efe:7f00:1", "embedded"),
        ("2606:2800::200:5efe:7f00:1", "embedded"),
        ("172.15.255.255", None),
        ("172.32.0.1", None),
        ("100.63.255.255", None),
        ("100.128.0.1", None),
        ("223.255.255.255", None),
        (PUBLIC_V4, None),
        (PUBLIC_V6, None),
    ],
)
def test_each_address_has_its_rule(address: str, expected: str | None) -> None:
    assert refusal(ip_address(address)) == expected


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_reached_that_is_not_global(address: IPv4Address) -> None:
    if refusal(address) is None:
        assert address.is_global
        assert not any((address.is_private, address.is_reserved, address.is_multicast, address.is_loopback))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_is_reached_that_is_not_global_or_hides_an_ipv4_one(address: IPv6Address) -> None:
    if refusal(address) is None:
        assert address.is_global
        assert not any((address.is_private, address.is_multicast, address.is_link_local, address.is_site_local))
        assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_cannot_hide_in_an_ipv6_one(address: IPv4Address) -> None:
    bits = int(address)
    for hidden in (
        (0xFFFF << 32) | bits,
        (0xFFFF << 48) | bits,
        (0x64FF9B << 96) | bits,
        (0x2002 << 112) | (bits << 80),
    ):
        assert refusal(IPv6Address(hidden)) == "embedded"
