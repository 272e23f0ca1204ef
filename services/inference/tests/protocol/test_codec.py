from __future__ import annotations

import json
import math
from typing import Any

import pytest

from inference.protocol import codec


@pytest.mark.parametrize("value", [{"a": [1, "ü", None]}, {"half": "\ud83d"}, 2**70])
def test_a_value_is_written_and_read_again(value: Any) -> None:
    assert codec.read(codec.write(value)) == value


def test_what_only_the_slower_parser_takes_is_read() -> None:
    assert math.isnan(codec.read(b'{"a": NaN}')["a"])
    with pytest.raises(json.JSONDecodeError):
        codec.read(b"{")
