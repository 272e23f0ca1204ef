"""Fixtures of servicekit's unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import disable_socket

from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.clock import ManualClock


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "delegation.pub"


@pytest.fixture
def signer(key_file: Path, clock: ManualClock) -> DelegationSigner:
    private, public = generate_key_pair()
    key_file.write_bytes(public)
    return DelegationSigner(private, clock)
