"""The public port's certificate: renewed without a restart, never replaced by one that can't be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from pydantic import ValidationError
from tests.support.network.certificates import write_certificate

from gateway.metrics import CERTIFICATE_EXPIRES
from gateway.server.certificates import Certificate, CertificateUnusable
from gateway.settings import GatewaySettings
from groundwork.stack.configuration.certificates import trusting


def _anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _shown(server: ssl.SSLContext, name: str | None = None, client: ssl.SSLContext | None = None) -> str:
    """Whose certificate a client is shown, in a handshake without a socket; raises `ssl.SSLError` if it refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = (client or _anyone()).wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = asking.getpeercert(binary_form=True)
    assert found is not None
    return str(x509.load_der_x509_certificate(found).subject.rfc4514_string())


@pytest.mark.parametrize("name", [None, "new.example.org"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_renewed_certificate_is_shown_from_the_next_handshake_on(tmp_path: Path, name: str | None, kind: str) -> None:
    """Whatever the kinds of the two keys, and whether or not the client says whom it looks for."""
    certificate = Certificate(*write_certificate(tmp_path, "old.example.org", kind="rsa"))
    assert _shown(certificate.context, name) == "CN=old.example.org"
    assert not certificate.look(), "nothing has changed"
    write_certificate(tmp_path, "new.example.org", kind=kind)
    assert certificate.look()
    assert _shown(certificate.context, name) == "CN=new.example.org"


def test_half_a_renewal_changes_nothing_and_the_other_half_does(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "old.example.org")
    certificate = Certificate(file, key)
    other_file, other_key = write_certificate(tmp_path / "renewed", "new.example.org")
    file.write_bytes(other_file.read_bytes())
    assert not certificate.look(), "the key is still the old one's"
    assert _shown(certificate.context) == "CN=old.example.org"
    key.write_bytes(other_key.read_bytes())
    assert certificate.look()
    assert _shown(certificate.context) == "CN=new.example.org"


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
    old = _anyone()
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        _shown(certificate.context, client=old)


def test_its_end_is_measured(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "a.example.org", days=30)
    Certificate(file, key)
    ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
    assert CERTIFICATE_EXPIRES._value.get() == ends


def test_a_home_s_own_commands_believe_its_certificate_and_no_other(tmp_path: Path) -> None:
    mine = write_certificate(tmp_path / "mine", "groundwork.example.org")
    other = write_certificate(tmp_path / "other", "groundwork.example.org")
    client = trusting(mine[0])
    assert _shown(Certificate(*mine).context, client=client) == "CN=groundwork.example.org"
    with pytest.raises(ssl.SSLCertVerificationError):
        _shown(Certificate(*other).context, client=client)


def test_certificate_and_key_are_set_together(tmp_path: Path) -> None:
    file, key = write_certificate(tmp_path, "a.example.org")
    with pytest.raises(ValidationError, match="together"):
        GatewaySettings(tls_certificate_file=file)
    assert GatewaySettings(tls_certificate_file=file, tls_key_file=key).tls_key_file == key
    assert GatewaySettings(tls_certificate_file="", tls_key_file="").tls_certificate_file is None  # type: ignore[arg-type]
