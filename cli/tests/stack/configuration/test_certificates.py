from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING, overrides
from tests.support.network.certificates import write_certificate

from groundwork.stack.configuration.certificates import certificate_file, own_certificate, trusting
from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home


def test_a_home_is_served_without_a_certificate_unless_one_is_set(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificate_file(NOTHING) is None
    assert certificate_file(overrides(home, GATEWAY_TLS_CERTIFICATE_FILE="")) is None
    monkeypatch.chdir("/")
    assert certificate_file(overrides(home, GATEWAY_TLS_CERTIFICATE_FILE="tls.crt")) == Path("/tls.crt")


def test_the_servers_own_certificate_is_the_first_of_a_chain(tmp_path: Path) -> None:
    own, _ = write_certificate(tmp_path / "own", "own.example.org")
    issuer, _ = write_certificate(tmp_path / "issuer", "issuer.example.org")
    chain = tmp_path / "chain.crt"
    chain.write_text(f"Subject: CN = own\n{own.read_text()}\n{issuer.read_text()}")
    assert own_certificate(chain) == own.read_text().strip()
    assert trusting(chain).cert_store_stats()["x509"] == 1


def test_a_certificate_is_believed_whatever_the_host_is_called_and_nothing_else_is(tmp_path: Path) -> None:
    context = trusting(write_certificate(tmp_path, "a.example.org")[0])
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no certificate", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["no file", "empty", "no PEM", "no text", "no certificate"],
)
def test_a_file_that_holds_no_certificate_is_named_with_its_setting(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tls.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationBroken, match=r"GATEWAY_TLS_CERTIFICATE_FILE is '.*tls\.crt', which holds no"):
        trusting(file)
