"""Runs a command where nothing but this machine's loopback can be reached.

In a network namespace of its own where the system allows that; otherwise with a hook in every Python process that
refuses to connect, or to look up names, beyond loopback.

Usage: python without_network.py COMMAND...
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
HOOK = Path(__file__).parent / "blocked_network"


def enter_namespace() -> bool:
    """Move this process into a new network namespace with loopback up; whether that was possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return False
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))
    return True


def main() -> None:
    """Cut the network, then become the command."""
    environment = dict(os.environ)
    if not enter_namespace():
        environment["PYTHONPATH"] = os.pathsep.join([str(HOOK), *filter(None, [environment.get("PYTHONPATH")])])
    os.execvpe(sys.argv[1], sys.argv[1:], environment)


if __name__ == "__main__":
    main()
