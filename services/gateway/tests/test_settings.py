from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings


def test_usage_is_kept_as_long_as_budgets_need_it() -> None:
    with pytest.raises(ValidationError, match="budgets of a month"):
        GatewaySettings(usage_kept_days=31)
    assert GatewaySettings(usage_kept_days=0).usage_kept_days == 0
