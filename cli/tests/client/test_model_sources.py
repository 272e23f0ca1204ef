from __future__ import annotations

from typing import Any, get_args

import pytest

from groundwork.client.model_sources import KEYS, SERVERS, Place, SourceUnclear, at


def entry(place: Place, model: str, **more: Any) -> dict[str, Any]:
    return at(place, model, **more).model_dump(exclude_unset=True)


def test_every_place_makes_a_chat_model_with_its_length_and_a_key_that_inference_knows() -> None:
    for place in get_args(Place):
        declared = entry(place, "m")
        assert declared["kind"] == "chat"
        assert declared["context_length"] >= 4096
        assert declared["source"].get("api_key_env") in (None, *KEYS)
    assert set(SERVERS) | {"gguf"} == set(get_args(Place))


def test_what_runs_here_is_free_and_what_is_hosted_has_the_list_price() -> None:
    assert entry("ollama", "m")["price"]["prompt_usd_per_million"] == 0
    assert entry("gguf", "/m.gguf")["price"]["prompt_usd_per_million"] == 0
    assert "price" not in entry("openai", "gpt-4.1-mini")
    assert "price" not in entry("vllm", "m")


def test_a_bare_host_gets_the_usual_path() -> None:
    assert entry("ollama", "m", url="http://gpu:11434")["source"]["base_url"] == "http://gpu:11434/v1"
    assert entry("ollama", "m", url="http://gpu/x/")["source"]["base_url"] == "http://gpu/x"


def test_whether_it_is_the_default_or_reads_pictures_is_said_only_where_it_was_asked() -> None:
    assert {"default", "images"}.isdisjoint(entry("openai", "m"))
    assert entry("openai", "m", default=True)["default"] is True
    assert entry("openai", "m", images=True)["images"] is True


@pytest.mark.parametrize(
    ("place", "more", "says"),
    [
        ("gguf", {"kind": "embedding", "dimensions": 3}, "chat model"),
        ("openai", {"kind": "rerank"}, "known for chat and embedding only"),
        ("openai", {"kind": "embedding"}, "--dimensions"),
        ("nowhere", {}, "no place 'nowhere'"),
    ],
)
def test_what_makes_no_declaration_is_said(place: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(SourceUnclear, match=says):
        at(place, "m", **more)
