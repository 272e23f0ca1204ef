from __future__ import annotations

from typing import Any

import pytest
from services.inference.tests.api.calls import error_of
from services.inference.tests.engines.wrappers.engines import FakeEngine
from tests.support.inference.tokenizers import word_pieces

from contracts.models.tokens import TokenizeRequest
from inference.catalog.models_file import Model
from inference.engines.file_tokens import FileTokens
from inference.errors import NoTokenizerHere, TokensInexact
from inference.protocol.tokens import TokenCodec
from inference.serving.served_model import Declaration, ServedModel
from inference.serving.tokens import texts_of, tokenize

TEXTS = ["the price", "return within days", "and the price, and", "xyz"]


class Framed(FakeEngine):
    """With a tokenizer whose texts begin and end with special tokens."""

    def tokens(self) -> TokenCodec:
        return FileTokens(lambda: word_pieces().to_str().encode())


async def served(engine: FakeEngine) -> ServedModel[Any]:
    model = Model(name="m", kind="chat", engine="scripted", context_length=100)
    found = ServedModel(Declaration(model), engine)
    await found.open()
    return found


def test_a_prompt_is_told_in_vllms_form(running: Any) -> None:
    answer = running.post(
        "/v1/tokenize", {"model": "talker", "prompt": "the capital of France", "return_token_strs": True}
    )
    told = answer.json()
    assert (told["count"], told["max_model_len"], len(told["tokens"])) == (4, 64, 4)
    assert told["token_strs"] == ["the", "capital", "of", "France"]
    again = running.post("/v1/detokenize", {"model": "talker", "tokens": told["tokens"]}).json()
    assert again == {"prompt": "the capital of France"}
    assert running.post("/v1/detokenize", {"model": "talker", "tokens": []}).json() == {"prompt": ""}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("tokenize", {"model": "nothing", "prompt": "a"}, 404, "model_not_found"),
        ("tokenize", {"model": "words", "messages": [{"role": "user", "content": "a"}]}, 400, "unsupported_parameter"),
        ("tokenize", {"model": "talker", "messages": [{"role": "user", "content": "a"}]}, 400, "unsupported_parameter"),
        ("detokenize", {"model": "words", "tokens": [100_000]}, 400, "token_unknown"),
        ("token-texts", {"model": "words", "param": "input", "tokens": [[100_000]]}, 400, "token_ids_foreign"),
        ("embeddings", {"input": [[0, 5]]}, 400, "token_ids_foreign"),
    ],
)
def test_what_a_tokenizer_can_not_do_is_refused(
    running: Any, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = running.post(f"/v1/{path}", body)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


def test_token_ids_have_the_vector_of_their_text(running: Any) -> None:
    ids = running.post("/v1/tokenize", {"model": "words", "prompt": "what is the text"}).json()["tokens"]
    of_text = running.post("/v1/embeddings", {"input": "what is the text"}).json()
    for given in (ids, [ids]):
        assert running.post("/v1/embeddings", {"input": given}).json()["data"] == of_text["data"]


@pytest.mark.parametrize("special", [True, False])
async def test_ids_with_or_without_special_tokens_are_their_texts(special: bool) -> None:
    model, codec = await served(Framed()), Framed().tokens()
    ids = [(await codec.encode(text, special=special)).ids for text in TEXTS]
    decoded = await texts_of(model, ids, "input")
    assert [(await codec.encode(text, special=special)).ids for text in decoded] == ids


@pytest.mark.parametrize("change", [lambda ids: ids[1:], lambda ids: [*ids, 100_000], lambda ids: []])
async def test_ids_that_no_text_has_are_refused_with_their_number(change: Any) -> None:
    model, codec = await served(Framed()), Framed().tokens()
    whole = (await codec.encode("xyz", special=False)).ids
    with pytest.raises(TokensInexact, match="See number 1") as refused:
        await texts_of(model, [whole, change(whole)], "prompt")
    assert refused.value.param == "prompt"


async def test_a_model_without_a_tokenizer_says_what_to_set() -> None:
    with pytest.raises(NoTokenizerHere, match="Set `tokenizer`"):
        await tokenize(await served(FakeEngine()), TokenizeRequest(prompt="a"))


@pytest.mark.parametrize(
    ("body", "param"),
    [({"prompt": "a" * 500_001}, "prompt"), ({"messages": [{"role": "user", "content": "a" * 500_001}]}, "messages")],
)
def test_no_call_has_more_cut_than_memory_is_for(running: Any, body: dict[str, Any], param: str) -> None:
    answer = running.post("/v1/tokenize", {"model": "talker"} | body)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "text_too_long")
    assert error_of(answer)["param"] == param
