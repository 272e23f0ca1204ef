from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from services.inference.tests.engines.wrappers.engines import asked

from inference.engines.openai.tokens import ServerTokens
from inference.errors import NoTokenizerHere

VLLM = {"count": 2, "max_model_len": 100, "tokens": [5, 6], "token_strs": ["a", "b"]}


class Server:
    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        self.asked.append((path, body))
        return self.answer


async def test_a_prompt_is_asked_in_vllms_form() -> None:
    server = Server(VLLM)
    encoded = await ServerTokens("m", "far", server.ask).encode("Hi", special=False, named=True)
    assert (encoded.ids, encoded.names) == ([5, 6], ["a", "b"])
    body = {"model": "far", "prompt": "Hi", "add_special_tokens": False, "return_token_strs": True}
    assert server.asked == [("/tokenize", body)]


async def test_a_conversation_goes_with_its_tools_to_the_servers_template() -> None:
    server, tools = Server(VLLM), [{"type": "function", "function": {"name": "f"}}]
    encoded = await ServerTokens("m", "far", server.ask).encode_chat(
        asked(tools=tools), special=None, answer_follows=False
    )
    assert (encoded.ids, encoded.names) == ([5, 6], None)
    (_, body) = server.asked[0]
    assert (body["tools"], body["add_generation_prompt"], "add_special_tokens" in body) == (tools, False, False)
    assert [message["role"] for message in body["messages"]] == ["user"]


async def test_tokens_become_a_text() -> None:
    server = Server({"prompt": "Hi"})
    assert await ServerTokens("m", "far", server.ask).decode([5, 6]) == "Hi"
    assert server.asked == [("/detokenize", {"model": "far", "tokens": [5, 6]})]


@pytest.mark.parametrize("answer", [None, {}, {"tokens": []}, {"tokens": [1], "count": 2}])
async def test_a_server_without_these_calls_is_told_by_what_to_set(answer: dict[str, Any] | None) -> None:
    tokens = ServerTokens("m", "far", Server(answer).ask)
    with pytest.raises(NoTokenizerHere, match="Set `tokenizer` to its tokenizer"):
        await tokens.encode("Hi", special=True)
    with pytest.raises(NoTokenizerHere):
        await tokens.decode([1])
