"""What an engine is asked, and a tokenizer whose tokens are bytes."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from contracts.models.chat import ChatRequest
from inference.requests.generation_request import GenerationRequest, read_generation_request

END = 256
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
YES_OR_NO = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}},
    "required": ["yes"],
    "additionalProperties": False,
}


def generation_request(**more: Any) -> GenerationRequest:
    """As a chat request asks for it."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0, **more}
    return read_generation_request(ChatRequest.model_validate(body))


def schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The field of a request for an answer that fits."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}}


def byte_tokenizer() -> Tokenizer:
    """Token n is the byte n; `END` is a control token."""
    letters = _letters()
    tokenizer = Tokenizer(models.BPE({letters[byte]: byte for byte in range(256)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


def _letters() -> dict[int, str]:
    """How byte-level tokenizers write each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + at) for at, byte in enumerate(others)}
