"""How often one address may sign in: whoever tries out keys, or begins sessions without end, is told to wait."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

from gateway.auth.errors import SignInsTooMany
from servicekit.core.clock import Clock

WINDOW_SECONDS = 60.0
ADDRESSES = 10_000
"""Remembered at most: the address of which a window began first is given up for another one."""
NETWORK_BITS = 64
"""Of an IPv6 address: one caller has all that have these in common."""
NO_ADDRESS = ""
"""Who comes without an address, from a socket of this machine or with a proxy's made-up word, is one caller."""


@dataclass(slots=True)
class _Window:
    began: datetime
    count: int = 0


class SignInLimit:
    """Counts sign-ins by address, successful or not, in this process."""

    def __init__(self, per_minute: int, clock: Clock, addresses: int = ADDRESSES) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._addresses = addresses
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def count(self, scope: Scope) -> None:
        """Count a sign-in; raises `SignInsTooMany`, with the seconds until the address may try again."""
        address, now = _caller(scope), self._clock.now()
        window = self._windows.get(address)
        age = 0.0 if window is None else (now - window.began).total_seconds()
        if window is None or not 0 <= age < WINDOW_SECONDS:
            self._windows.pop(address, None)
            if len(self._windows) >= self._addresses:
                self._windows.popitem(last=False)
            window, age = self._windows.setdefault(address, _Window(now)), 0.0
        if window.count >= self._per_minute:
            raise SignInsTooMany(self._per_minute, WINDOW_SECONDS - age)
        window.count += 1


def _caller(scope: Scope) -> str:
    try:
        address = ip_address(str((scope.get("client") or ("", 0))[0]))
    except ValueError:
        return NO_ADDRESS
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((int(address), NETWORK_BITS), strict=False))  # without its zone
    return str(address)
