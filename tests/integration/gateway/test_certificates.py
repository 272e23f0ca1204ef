"""What this machine's own commands make of a certificate: whom they believe, and what doctor says of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from tests.support.network.certificates import shown, write_certificate

from gateway.server.certificates import Certificate
from groundwork.stack.checks.findings import Finding
from groundwork.stack.configuration.certificates import trusting
from groundwork.stack.configuration.overrides import Overrides, Setting
from groundwork.stack.doctor import examine_certificate


def test_a_home_s_own_commands_believe_its_certificate_and_no_other(tmp_path: Path) -> None:
    mine = write_certificate(tmp_path / "mine", "groundwork.example.org")
    other = write_certificate(tmp_path / "other", "groundwork.example.org")
    client = trusting(mine[0])
    assert shown(Certificate(*mine).context, client=client) == "CN=groundwork.example.org"
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(Certificate(*other).context, client=client)


def _examined(file: Path, key: Path) -> Finding:
    settings = {"GATEWAY_TLS_CERTIFICATE_FILE": file, "GATEWAY_TLS_KEY_FILE": key}
    overrides = Overrides({name: Setting(str(path), "environment") for name, path in settings.items()})
    (found,) = examine_certificate(overrides)
    return found


def test_doctor_tells_of_a_certificate_that_ends_soon_or_does_not_fit_its_key(tmp_path: Path) -> None:
    good = write_certificate(tmp_path / "good", "a.example.org")
    ends_soon = write_certificate(tmp_path / "soon", "a.example.org", days=3)
    assert _examined(*good).ok
    assert "without a restart" in _examined(*ends_soon).mend
    assert not _examined(*ends_soon).ok
    assert "without a password" in _examined(good[0], ends_soon[1]).mend
    assert not list(examine_certificate(Overrides({})))
