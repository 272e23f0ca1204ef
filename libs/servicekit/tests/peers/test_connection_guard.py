from __future__ import annotations

import socket

import pytest
from yarl import URL

from servicekit.peers.address_policy import AddressPolicy
from servicekit.peers.connection_guard import MAX_ADDRESSES, Guard

PUBLIC, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
POLICY = AddressPolicy.of("443", "wiki.intra:9000")


def _guard(*addresses: str, url: str = "https://example.org/") -> Guard:
    async def look_up(host: str) -> list[str]:
        return list(addresses)

    return Guard(URL(url), POLICY, look_up)


async def test_only_the_addresses_that_may_be_reached_are_given() -> None:
    found = await _guard("127.0.0.1", PUBLIC, "::1", PUBLIC_V6).resolve("example.org", 443)
    assert [(each["host"], each["family"]) for each in found] == [
        (PUBLIC, socket.AF_INET),
        (PUBLIC_V6, socket.AF_INET6),
    ]
    assert {each["flags"] for each in found} == {socket.AI_NUMERICHOST}, "nobody resolves them again"


async def test_a_name_that_leads_nowhere_else_is_refused_with_the_rule() -> None:
    guard = _guard("10.0.0.1", "127.0.0.1")
    with pytest.raises(OSError, match="no address"):
        await guard.resolve("example.org")
    assert guard.refused is not None
    assert guard.refused.rule == "loopback"


async def test_a_name_without_addresses_was_refused_by_no_rule() -> None:
    guard = _guard()
    with pytest.raises(OSError, match="no address"):
        await guard.resolve("example.org")
    assert guard.refused is None


async def test_a_call_that_finds_a_way_was_not_refused() -> None:
    guard = _guard("10.0.0.1", PUBLIC)
    await guard.resolve("example.org")
    assert guard.refused is None


async def test_of_a_flood_of_addresses_only_the_first_are_looked_at() -> None:
    guard = _guard(*["10.0.0.1"] * MAX_ADDRESSES, PUBLIC)
    with pytest.raises(OSError, match="no address"):
        await guard.resolve("example.org")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00:ec2::254"])
async def test_the_very_address_that_is_about_to_be_called_is_checked_again(address: str) -> None:
    guard = _guard(PUBLIC)
    await guard.resolve("example.org")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(PermissionError):
        guard._socket((family, socket.SOCK_STREAM, 0, "", (address, 443)))
    assert guard.refused is not None


async def test_what_an_operator_allows_is_allowed_on_its_port_alone() -> None:
    found = await _guard("10.0.0.1", url="http://wiki.intra:9000/").resolve("wiki.intra", 9000)
    assert [each["host"] for each in found] == ["10.0.0.1"]
    with pytest.raises(OSError, match="no address"):
        await _guard("10.0.0.1", url="https://wiki.intra/").resolve("wiki.intra", 443)


async def test_a_connection_is_kept_for_no_later_call_and_no_answer_of_dns_either() -> None:
    connector = _guard(PUBLIC).connector()
    assert (connector.force_close, connector.use_dns_cache, connector.limit) == (True, False, 1)
    await connector.close()
