from __future__ import annotations

from pathlib import Path

from contracts.models.chat import ChatRequest
from inference.engines.openai.token_count import ANSWER_MARK, TOKENS_A_MESSAGE, TokenCount, text_in
from inference.engines.scripted.vectors import TOKENIZER


async def test_usage_is_counted_by_the_declared_tokenizer_and_marked(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(TOKENIZER)
    request = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "one two three"}]})
    usage = await TokenCount(tmp_path / "tokenizer.json").usage(request, ["four ", "five"])
    prompt = 3 + TOKENS_A_MESSAGE + ANSWER_MARK
    assert usage == {"prompt_tokens": prompt, "completion_tokens": 2, "total_tokens": prompt + 2, "estimated": True}


def test_all_that_a_model_wrote_is_counted() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    delta = {"content": "a", "reasoning_content": "b", "refusal": None, "tool_calls": [call, "x"]}
    assert text_in(delta) == ["a", "b", "f", "{}"]
    assert text_in(None) == []
