from __future__ import annotations

from typing import Any

import pytest

from inference.declarations.entry import read_entry
from inference.errors import DeclarationInvalid

CHAT = {"kind": "chat", "engine": "scripted", "context_length": 64}


def test_an_entry_is_read_as_the_models_file_reads_it() -> None:
    model = read_entry("talker", {**CHAT, "price": {"gpu_hour_usd": 2, "tokens_per_hour": 1_000_000}})
    assert (model.name, model.kind, model.context_length) == ("talker", "chat", 64)
    assert model.price is not None
    assert model.price.prompt_usd_per_million == 2


@pytest.mark.parametrize(
    ("name", "changes", "param", "says"),
    [
        ("default", {}, "name", "reserved|means the default"),
        ("a b", {}, "name", r"of letters \(A-Z, a-z\), digits, '\.'"),
        ("m", {"kind": "song"}, "kind", "chat"),
        ("m", {"engine": "llamacpp", "source": {"path": "/m.bin"}}, "model", ".gguf"),
        ("m", {"engine": "openai", "source": {"base_url": "ftp://x"}}, "source.base_url", "begins with http"),
        ("m", {"colour": 1}, "colour", "not permitted"),
        ("m", {"context_length": None}, "model", "needs context_length"),
    ],
)
def test_what_is_wrong_is_said_with_the_key(name: str, changes: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(DeclarationInvalid, match=says) as refused:
        read_entry(name, CHAT | changes)
    assert refused.value.param == param
    assert refused.value.http_status == 422
