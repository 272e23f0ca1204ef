from __future__ import annotations

from gateway.auth.keys import is_secret, new_secret


def test_a_secret_is_random_long_and_recognisable() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert is_secret(first)
    assert len(first) >= 3 + 43
    assert not is_secret("gw_short")
    assert not is_secret(f"{first} ")
