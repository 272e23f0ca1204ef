"""Which certificates this machine's own commands believe."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.support.network.certificates import shown, write_certificate

from gateway.server.certificates import Certificate
from groundwork.stack.configuration.certificates import trusting


def test_a_home_s_own_commands_believe_its_certificate_and_no_other(tmp_path: Path) -> None:
    mine = write_certificate(tmp_path / "mine", "groundwork.example.org")
    other = write_certificate(tmp_path / "other", "groundwork.example.org")
    client = trusting(mine[0])
    assert shown(Certificate(*mine).context, client=client) == "CN=groundwork.example.org"
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(Certificate(*other).context, client=client)
