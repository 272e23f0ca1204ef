from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings


def test_usage_is_kept_as_long_as_budgets_need_it() -> None:
    with pytest.raises(ValidationError, match="budgets of a month"):
        GatewaySettings(usage_kept_days=31)
    assert GatewaySettings(usage_kept_days=0).usage_kept_days == 0


def test_certificate_and_key_are_set_together() -> None:
    file, key = Path("tls.crt"), Path("tls.key")
    with pytest.raises(ValidationError, match="together"):
        GatewaySettings(tls_certificate_file=file)
    assert GatewaySettings(tls_certificate_file=file, tls_key_file=key).tls_key_file == key
    assert GatewaySettings(tls_certificate_file="", tls_key_file="").tls_certificate_file is None
