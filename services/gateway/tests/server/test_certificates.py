"""The public port's certificate: renewed without a restart, never replaced by one that can't be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tests.support.network.certificates import anyone, shown, write_certificate

from gateway.metrics import CERTIFICATE_EXPIRES
from gateway.server.certificates import Certificate, CertificateUnusable, open_certificate
from gateway.settings import GatewaySettings


@pytest.mark.parametrize("name", [None, "new.example.org"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_renewed_certificate_is_shown_from_the_next_handshake_on(tmp_path: Path, name: str | None, kind: str) -> None:
    """Whatever the kinds of the two keys, and whether or not the client says whom it looks for."""
    certificate = Certificate(*write_certificate(tmp_path, "old.example.org", kind="rsa"))
    assert shown(certificate.context, name) == "CN=old.example.org"
    assert not certificate.look(), "nothing has changed"
    write_certificate(tmp_path, "new.example.org", kind=kind)
    assert certificate.look()
    assert shown(certificate.context, name) == "CN=new.example.org"


def test_half_a_renewal_changes_nothing_and_the_other_half_does(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "old.example.org")
    certificate = Certificate(file, key)
    other_file, other_key = write_certificate(tmp_path / "renewed", "new.example.org")
    file.write_bytes(other_file.read_bytes())
    assert not certificate.look(), "the key is still the old one's"
    assert shown(certificate.context) == "CN=old.example.org"
    key.write_bytes(other_key.read_bytes())
    assert certificate.look()
    assert shown(certificate.context) == "CN=new.example.org"


def test_files_that_vanish_for_a_moment_do_no_harm(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "old.example.org")
    certificate = Certificate(file, key)
    file.unlink()
    assert not certificate.look()
    write_certificate(tmp_path, "new.example.org")
    assert certificate.look()


def test_what_can_not_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    file, _ = write_certificate(tmp_path / "a", "a.example.org")
    _, foreign = write_certificate(tmp_path / "b", "b.example.org")
    for certificate, key in ((file, foreign), (tmp_path / "none", foreign), (foreign, foreign)):
        with pytest.raises(CertificateUnusable, match="can't be used"):
            Certificate(certificate, key)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_protocols_are_refused(tmp_path: Path) -> None:
    certificate = Certificate(*write_certificate(tmp_path, "a.example.org"))
    old = anyone()
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shown(certificate.context, client=old)


def test_its_end_is_measured(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "a.example.org", days=30)
    Certificate(file, key)
    ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
    assert CERTIFICATE_EXPIRES._value.get() == ends


async def test_without_a_certificate_the_public_port_is_plain(tmp_path: Path) -> None:
    async with open_certificate(GatewaySettings()) as context:
        assert context is None
    file, key = write_certificate(tmp_path, "a.example.org")
    async with open_certificate(GatewaySettings(tls_certificate_file=file, tls_key_file=key)) as context:
        assert context is not None
        assert shown(context) == "CN=a.example.org"


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "a.example.org")
    plain = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")))
    with pytest.raises(CertificateUnusable, match="has a password"):
        Certificate(file, key)
