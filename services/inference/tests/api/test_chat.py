from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from contracts.chat import ChatCompletion, ChatCompletionChunk
from contracts.models import EmbeddingReply, ModelList, RerankReply


def ask(text: str = "What is the capital of France?", **more: Any) -> dict[str, Any]:
    return {"model": "default", "messages": [{"role": "user", "content": text}], **more}


def error_of(answer: Any) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["message"]
    assert error["request_id"]
    return error


def events(text: str) -> list[str]:
    return [block.removeprefix("data: ") for block in text.split("\n\n") if block]


def test_a_call_without_a_token_or_with_another_audience_is_refused(running: Any) -> None:
    assert running.client.get("/v1/models").status_code == 401
    assert running.post("/v1/chat/completions", ask(), audience="retriever").status_code == 401
    assert running.post("/v1/embeddings", {"input": "x"}, audience="models").status_code == 401


def test_models_show_kind_limits_defaults_and_prices(running: Any) -> None:
    listed = {model.id: model for model in ModelList.model_validate(running.get("/v1/models").json()).data}
    assert listed["talker"].context_length == 64
    assert listed["talker"].price is not None
    assert str(listed["talker"].price.completion_usd_per_million) == "2.5"
    assert (listed["words"].dimensions, listed["words"].context_length) == (32, 16)
    assert listed["words"].price is None
    assert all(model.default for model in listed.values())


def test_a_whole_answer_has_text_reason_and_usage(running: Any) -> None:
    answer = ChatCompletion.model_validate(running.post("/v1/chat/completions", ask()).json())
    assert answer.model == "talker"
    assert answer.choices[0].message.content == "Paris is the capital."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)


def test_a_stream_says_the_same_as_the_whole_answer_and_ends_with_done(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stream=True, stream_options={"include_usage": True}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *data, done = events(answer.text)
    chunks = [ChatCompletionChunk.model_validate_json(line) for line in data]
    assert done == "[DONE]"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == "Paris is the capital."
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_is_not_streamed_unless_it_is_asked_for(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stream=True))
    assert all("usage" not in json.loads(line) for line in events(answer.text)[:-1])


def test_stop_strings_end_the_answer_and_are_not_shown(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(stop=["the cap"])).json()["choices"][0]
    assert answer["message"]["content"] == "Paris is "
    assert answer["finish_reason"] == "stop"


def test_max_tokens_cuts_the_answer_and_says_so(running: Any) -> None:
    answer = running.post("/v1/chat/completions", ask(max_tokens=2)).json()["choices"][0]
    assert answer["message"]["content"] == "Paris is"
    assert answer["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_piece_is_an_ordinary_error_also_for_a_stream(running: Any, stream: bool) -> None:
    answer = running.post("/v1/chat/completions", ask("word " * 100, stream=stream))
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert error["message"].startswith("This model's maximum context length is 64 tokens")
    assert "(context_length_exceeded)" in error["message"]


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"top_k": 2}, "unsupported_parameter", "top_k"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools_unsupported", "tools.0.type"),
        ({"functions": [{"name": "f"}]}, "tools_unsupported", "functions"),
        ({"tool_choice": "required"}, "invalid_request", "tool_choice"),
        ({"response_format": {"type": "xml"}}, "invalid_request", "response_format"),
        ({"frequency_penalty": 2.5}, "invalid_request", "frequency_penalty"),
        ({"logit_bias": {"x": 1}}, "invalid_request", "logit_bias"),
        ({"logprobs": "yes please"}, "invalid_request", "logprobs"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "string", "minLength": 3, "maxLength": 1}},
                }
            },
            "unsupported_schema",
            "response_format.json_schema.schema",
        ),
        ({"stop": [str(number) for number in range(17)]}, "invalid_request", "stop"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "content_unsupported",
            "messages.0.content",
        ),
    ],
)
def test_what_the_engine_can_not_do_is_refused_not_ignored(
    running: Any, more: dict[str, Any], code: str, param: str
) -> None:
    answer = running.post("/v1/chat/completions", ask() | more)
    assert answer.status_code == 400
    error = error_of(answer)
    assert (error["code"], error["param"]) == (code, param)


def test_values_that_ask_for_nothing_are_taken(running: Any) -> None:
    more = {"frequency_penalty": 0, "tools": [], "n": 1, "user": "u", "response_format": {"type": "text"}, "seed": 7}
    assert running.post("/v1/chat/completions", ask(**more)).status_code == 200


@pytest.mark.parametrize("field", [{"max_tokens": -1}, {"temperature": 3}, {"messages": []}, {"top_p": 0}])
def test_a_body_that_does_not_match_the_schema_is_422_and_names_the_field(running: Any, field: dict[str, Any]) -> None:
    answer = running.post("/v1/chat/completions", ask() | field)
    assert answer.status_code == 422
    assert error_of(answer)["param"] == next(iter(field))


def test_an_unknown_model_is_404_and_the_word_default_is_explained(start: Any, declared: Any) -> None:
    app = start(declared["embedding"])
    app.until_ready()
    answer = app.post("/v1/chat/completions", ask())
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"
    assert error_of(app.post("/v1/embeddings", {"model": "talker", "input": "x"}))["code"] == "model_not_found"


def test_a_key_may_chat_only_with_its_models_but_always_embed(running: Any) -> None:
    assert running.post("/v1/chat/completions", ask(), models=("talker",)).status_code == 200
    answer = running.post("/v1/chat/completions", ask(), models=("other",))
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "model_not_allowed"
    assert running.post("/v1/embeddings", {"input": "x"}, models=("other",)).status_code == 200


def test_embeddings_are_normalised_and_the_same_in_both_encodings(running: Any) -> None:
    texts = ["a red car", "a red house", "entirely different words"]
    floats = EmbeddingReply.model_validate(running.post("/v1/embeddings", {"input": texts}).json())
    coded = running.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"}).json()
    vectors = np.array([row.embedding for row in floats.data], dtype=np.float32)
    decoded = np.stack([np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in coded["data"]])
    np.testing.assert_array_equal(vectors, decoded)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert [row.index for row in floats.data] == [0, 1, 2]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_a_text_longer_than_the_model_reads_is_counted_as_truncated(running: Any) -> None:
    usage = running.post("/v1/embeddings", {"input": ["short one", "word " * 40]}).json()["usage"]
    assert usage == {"prompt_tokens": 18, "total_tokens": 18, "truncated": 1}


def test_dimensions_are_taken_only_if_they_are_the_models(running: Any) -> None:
    assert running.post("/v1/embeddings", {"input": "x", "dimensions": 32}).status_code == 200
    answer = running.post("/v1/embeddings", {"input": "x", "dimensions": 16})
    assert answer.status_code == 400
    assert error_of(answer)["param"] == "dimensions"


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"input": ""}, "input", "empty"),
        ({"input": ["fine", ""]}, "input", "number 1"),
        ({"input": []}, "input", "there are 0"),
        ({"input": ["x"] * 10_000}, "input", "there are 10000"),
    ],
)
def test_inputs_that_can_not_be_embedded_are_422(running: Any, body: dict[str, Any], param: str, says: str) -> None:
    answer = running.post("/v1/embeddings", body)
    assert answer.status_code == 422
    error = error_of(answer)
    assert (error["param"] or "").startswith(param)
    assert says in error["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/embeddings", {"input": "x"}), ("/v1/rerank", {"query": "x", "documents": ["x"]})],
)
def test_what_these_models_do_not_know_is_refused_by_name_and_what_asks_for_nothing_taken(
    running: Any, path: str, body: dict[str, Any]
) -> None:
    answer = running.post(path, body | {"speed": 1})
    assert answer.status_code == 400
    assert (error_of(answer)["code"], error_of(answer)["param"]) == ("unsupported_parameter", "speed")
    assert running.post(path, body | {"speed": None, "user": "u"}).status_code == 200


def test_ranked_documents_are_given_back_to_who_asks(running: Any) -> None:
    body = {"query": "red car", "documents": ["a blue boat", {"text": "the red car"}], "rank_fields": ["text"]}
    given = running.post("/v1/rerank", body | {"return_documents": True}).json()["results"]
    assert [result["document"] for result in given] == [{"text": "the red car"}, {"text": "a blue boat"}]
    assert all("document" not in result for result in running.post("/v1/rerank", body).json()["results"])


def test_what_asks_a_reranker_for_no_less_than_it_reads_is_taken(running: Any) -> None:
    body = {"query": "x", "documents": ["x"]}
    for harmless in ({"max_tokens_per_doc": 4096}, {"max_chunks_per_doc": 10}, {"return_documents": False}):
        assert running.post("/v1/rerank", body | harmless).status_code == 200
    answer = running.post("/v1/rerank", body | {"max_tokens_per_doc": 2})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "max_tokens_per_doc")
    answer = running.post("/v1/rerank", body | {"documents": [{"title": "x"}]})
    assert answer.status_code == 422
    assert "number 0" in error_of(answer)["message"]


def test_rerank_gives_the_best_first(running: Any) -> None:
    body = {"query": "red car", "documents": ["a blue boat", "the red car", "a red boat"], "top_n": 2}
    answer = RerankReply.model_validate(running.post("/v1/rerank", body).json())
    assert [result.index for result in answer.results] == [1, 2]
    assert answer.usage["total_tokens"] > 0


def test_rerank_without_a_reranker_says_so(start: Any, declared: Any) -> None:
    answer = start(declared["embedding"]).post("/v1/rerank", {"query": "x", "documents": ["y"]})
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "no_reranker"


def test_the_tokenizer_counts_as_the_model_does_and_has_an_etag(running: Any) -> None:
    answer = running.get("/v1/models/words/tokenizer")
    text = "Well - it's 3,000 words; or so…  Ünïcode_too 漢字!"
    counted = running.post("/v1/embeddings", {"input": text}).json()["usage"]["prompt_tokens"]
    assert len(Tokenizer.from_str(answer.text).encode(text).ids) == counted
    assert running.get("/v1/models/default/tokenizer").headers["etag"] == answer.headers["etag"]
    again = running.get("/v1/models/words/tokenizer", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert running.get("/v1/models/nothing/tokenizer").status_code == 404


def test_a_model_that_can_not_load_says_why_and_the_others_serve(start: Any, declared: Any) -> None:
    missing = declared["chat"] | {"engine": "transformers", "source": {"path": "/nowhere"}}
    app = start(missing, declared["embedding"])
    answer = app.client.get("/readyz")
    while "loading" in answer.text:
        answer = app.client.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert "folder is not there" in parts["model:talker"]["detail"]
    assert "/nowhere" not in answer.text
    assert parts["model:words"]["ok"]
    assert app.post("/v1/embeddings", {"input": "x"}).status_code == 200
    refused = app.post("/v1/chat/completions", ask())
    assert (refused.status_code, error_of(refused)["code"]) == (503, "model_not_ready")


def test_a_model_that_is_not_the_default_is_shown_but_not_needed_for_readiness(start: Any, declared: Any) -> None:
    spare = declared["chat"] | {
        "name": "spare",
        "engine": "transformers",
        "source": {"path": "/nowhere"},
        "default": False,
    }
    app = start(declared["chat"], declared["embedding"], spare)
    app.until_ready()
    parts = app.client.get("/readyz").json()["parts"]
    assert parts["model:spare"]["ok"]
    assert "not ready" in parts["model:spare"]["detail"]


def test_a_prompt_that_is_too_long_names_what_its_tools_take(running: Any) -> None:
    """As front ends fill a small model with tools of their own."""
    tool = {"type": "function", "function": {"name": "f", "description": "word " * 100}}
    error = error_of(running.post("/v1/chat/completions", ask(tools=[tool])))
    assert error["code"] == "context_length_exceeded"
    assert "your messages and tools resulted in" in error["message"]
    assert "in the tools)" in error["message"]
