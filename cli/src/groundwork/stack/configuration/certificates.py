"""The certificate that a home's gateway is served with: how this host's own commands know the gateway by it.

They call 127.0.0.1, a name that no certificate has. They know the very certificate instead, from the home's settings.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import ConfigurationBroken

CERTIFICATE = "GATEWAY_TLS_CERTIFICATE_FILE"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificate_file(overrides: Overrides) -> Path | None:
    """The PEM file of the gateway's certificate; null where it is served without."""
    given = overrides.get(CERTIFICATE)
    return Path(given).resolve() if given else None


def trusting(file: Path) -> ssl.SSLContext:
    """A client's context that takes the first certificate of a file, whatever its names, and no other one.

    Raises `ConfigurationBroken`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=own_certificate(file))
    except (OSError, ValueError) as error:
        raise ConfigurationBroken(f"{CERTIFICATE} is '{file}', which holds no certificate: {error}") from None
    return context


def own_certificate(file: Path) -> str:
    """The first certificate of a PEM file, without its chain; raises `OSError` or `ValueError`."""
    found = _PEM.search(file.read_text())
    if found is None:
        raise ValueError("it is not PEM")
    return found[0]
