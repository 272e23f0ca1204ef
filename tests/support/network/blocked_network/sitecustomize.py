"""Refuses every connection and name look-up beyond loopback in this process."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        raise OSError(f"the network is cut: look-up of {arguments[0]}")
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise OSError(f"the network is cut: {event} {address}")


sys.addaudithook(_refuse)
