from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from contracts.models.catalog import ModelList


def test_models_show_kind_limits_defaults_and_prices(running: Any) -> None:
    listed = {model.id: model for model in ModelList.model_validate(running.get("/v1/models").json()).data}
    assert listed["talker"].context_length == 64
    assert listed["talker"].price is not None
    assert str(listed["talker"].price.completion_usd_per_million) == "2.5"
    assert (listed["words"].dimensions, listed["words"].context_length) == (32, 16)
    assert listed["words"].price is None
    assert all(model.default for model in listed.values())


def test_the_tokenizer_counts_as_the_model_does_and_has_an_etag(running: Any) -> None:
    answer = running.get("/v1/models/words/tokenizer")
    text = "Well - it's 3,000 words; or so…  Ünïcode_too 漢字!"
    counted = running.post("/v1/embeddings", {"input": text}).json()["usage"]["prompt_tokens"]
    assert len(Tokenizer.from_str(answer.text).encode(text).ids) == counted
    assert running.get("/v1/models/default/tokenizer").headers["etag"] == answer.headers["etag"]
    again = running.get("/v1/models/words/tokenizer", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert running.get("/v1/models/nothing/tokenizer").status_code == 404
