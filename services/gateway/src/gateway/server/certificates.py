"""The public port's certificate: read at start, and again once its files change, so that a renewal needs no restart.

Each handshake gets the newest pair that can be used; connections that are open keep theirs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from cryptography import x509

from gateway.metrics import CERTIFICATE_EXPIRES
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)
LOOK_SECONDS = 5.0
Stamp = tuple[tuple[int, int, int], ...]


class CertificateUnusable(RuntimeError):
    """The files can't be read, are no PEM, or do not belong together."""

    def __init__(self, file: Path, key: Path, why: Exception) -> None:
        super().__init__(f"the certificate {file} with the key {key} can't be used: {why}")


class Certificate:
    """A chain and its key in two PEM files, the chain beginning with the server's own certificate."""

    def __init__(self, file: Path, key: Path) -> None:
        """Raises `CertificateUnusable`."""
        self._file, self._key = file, key
        self._seen = self._stamp()
        self.context = self._newest = self._read()
        # A context that has had two certificates may show the older one, if their keys are of two kinds. So each pair
        # has a context of its own, and the first one, which the listener holds, hands handshakes on to the newest.
        self.context.sni_callback = self._hand_on

    def look(self) -> bool:
        """Read the files again if they have changed since they were last read; whether a new pair is in use now.

        What can't be used is logged and left alone until the files change again.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self._newest = self._read()
        except CertificateUnusable as error:
            log.error("certificate not renewed; the last one stays", error=str(error))
            return False
        log.info("certificate renewed", file=str(self._file))
        return True

    async def watch(self) -> None:
        """Look every few seconds, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def _hand_on(self, handshake: ssl.SSLObject, _name: str | None, context: ssl.SSLContext) -> None:
        if self._newest is not context:
            handshake.context = self._newest

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._file, self._key, password=_no_password)
            own = x509.load_pem_x509_certificates(self._file.read_bytes())[0]
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CertificateUnusable(self._file, self._key, error) from None
        CERTIFICATE_EXPIRES.set(own.not_valid_after_utc.timestamp())
        return context

    def _stamp(self) -> Stamp:
        """Changes when a file is written, replaced, or its link leads elsewhere, as Kubernetes and certbot do it."""
        found = []
        for path in (self._file, self._key):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)


def _no_password() -> str:
    """OpenSSL would ask for one on the terminal."""
    raise ValueError("the key has a password; give one without, in a file that only the gateway reads")


@asynccontextmanager
async def open_certificate(settings: GatewaySettings) -> AsyncIterator[ssl.SSLContext | None]:
    """What the public port is to be served with, watched until the block ends; null without TLS."""
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        yield None
        return
    certificate = Certificate(settings.tls_certificate_file, settings.tls_key_file)
    watching = asyncio.create_task(certificate.watch())
    try:
        yield certificate.context
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
