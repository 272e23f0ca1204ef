from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import asked
from tests.support.inference.packaged import packaged_gguf

from contracts.models.chat import ChatRequest
from inference.engines.llamacpp.tokens import LlamaTokens
from inference.errors import TokenUnknown, UpstreamBroke

ANSWERS: dict[str, dict[str, Any]] = {
    "/tokenize": {"tokens": [19556, 905]},
    "/detokenize": {"content": "Hello world"},
    "/apply-template": {"prompt": "user: Hi"},
}


class Child:
    def __init__(self, answers: dict[str, dict[str, Any]] | None = None) -> None:
        self.answers = ANSWERS if answers is None else answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        self.asked.append((path, body))
        return self.answers.get(path)

    def tokens(self) -> LlamaTokens:
        def body_of(request: ChatRequest) -> dict[str, Any]:
            return {**request.model_dump(exclude_unset=True), "max_tokens": 5}

        return LlamaTokens("m", self.ask, body_of, packaged_gguf)


async def test_names_of_tokens_are_those_of_the_file() -> None:
    child = Child()
    encoded = await child.tokens().encode("Hello world", special=True, named=True)
    assert (encoded.ids, encoded.names) == ([19556, 905], ["Hello", "Ġworld"])
    assert child.asked == [("/tokenize", {"content": "Hello world", "add_special": True, "parse_special": True})]


async def test_a_token_beyond_the_vocabulary_never_reaches_llama_cpp() -> None:
    child = Child()
    assert await child.tokens().decode([19556]) == "Hello world"
    with pytest.raises(TokenUnknown, match="vocabulary of 49152"):
        await child.tokens().decode([49_152])
    assert len(child.asked) == 1


@pytest.mark.parametrize(("special", "added"), [(None, True), (True, True), (False, False)])
async def test_a_conversation_is_read_as_for_an_answer(special: bool | None, added: bool) -> None:
    child = Child()
    encoded = await child.tokens().encode_chat(asked(), special=special, answer_follows=False)
    assert encoded.ids == [19556, 905]
    (template, tokenize) = child.asked
    assert set(template[1]) == {"messages", "add_generation_prompt"}
    assert tokenize[1] == {"content": "user: Hi", "add_special": added, "parse_special": True}


async def test_a_child_without_these_calls_has_failed() -> None:
    with pytest.raises(UpstreamBroke, match="has no /tokenize"):
        await Child({}).tokens().encode("Hi", special=True)
