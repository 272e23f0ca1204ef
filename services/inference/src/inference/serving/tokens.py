"""Tokens on the wire, for any model whose tokenizer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts.models.chat import ChatRequest
from contracts.models.tokens import DetokenizeReply, DetokenizeRequest, TokenizeReply, TokenizeRequest
from inference.engines.wrappers.constrained_tools import as_answered
from inference.errors import (
    NoTokenizerHere,
    TextTooLong,
    TokensInexact,
    TokenUnknown,
    Unsupported,
)
from inference.protocol.engines import Engine
from inference.protocol.tokens import Encoded, TokenCodec
from inference.serving.served_model import ServedModel
from servicekit.core.errors import UpstreamTimeout

AT_ONCE = 8
"""Lists of one call that are read at once: each is a call of a server, maybe."""
MOST_CHARACTERS = 500_000
"""Of a text or a conversation; cutting takes up to 250 bytes a character."""
TEXTS_SECONDS = 60.0
"""For all texts of a call's lists, however slow a server is."""


async def tokenize(served: ServedModel[Engine], request: TokenizeRequest) -> TokenizeReply:
    """The tokens of a prompt or of a conversation; raises 400 for what the model's tokenizer can't do."""
    if len(request.prompt or "") > MOST_CHARACTERS:
        raise TextTooLong(MOST_CHARACTERS, "prompt")
    if request.messages is not None and len(request.model_dump_json()) > MOST_CHARACTERS:
        raise TextTooLong(MOST_CHARACTERS, "messages")
    codec = await _codec(served)
    if request.messages is not None:
        encoded = await _encode_chat(served, codec, request)
    else:
        special = request.add_special_tokens is not False
        encoded = await codec.encode(request.prompt or "", special=special, named=request.return_token_strs)
    return TokenizeReply(
        count=len(encoded.ids),
        max_model_len=served.info().context_length,
        tokens=encoded.ids,
        token_strs=encoded.names,
    )


async def detokenize(served: ServedModel[Engine], request: DetokenizeRequest) -> DetokenizeReply:
    """The text of tokens, special ones too; raises `TokenUnknown`."""
    return DetokenizeReply(prompt=await (await _codec(served)).decode(request.tokens) if request.tokens else "")


async def texts_of(served: ServedModel[Engine], lists: Sequence[list[int]], param: str) -> list[str]:
    """The texts of which these are the model's tokens, with or without those that begin and end any text.

    Only where it is exactly so: raises `TokensInexact` for ids that the tokenizer would not give for the text that they
    spell, as those of another tokenizer are. So nothing changes if the text goes on in their place.
    Raises `UpstreamTimeout` where a server takes too long for them.
    """
    codec = await _codec(served)
    before, after = await _frame(codec)
    places = asyncio.Semaphore(AT_ONCE)

    async def text_of(number: int, ids: list[int]) -> str:
        async with places:
            inner = _inside(ids, before, after)
            try:
                text = await codec.decode(inner) if inner else ""
            except TokenUnknown as error:
                raise TokensInexact(served.name, param, number, error.message) from None
            if not text or (await codec.encode(text, special=False)).ids != inner:
                raise TokensInexact(served.name, param, number)
            return text

    try:
        async with asyncio.timeout(TEXTS_SECONDS), asyncio.TaskGroup() as group:
            reading = [group.create_task(text_of(number, ids)) for number, ids in enumerate(lists)]
    except TimeoutError:
        raise UpstreamTimeout(
            f"The server of '{served.name}' takes too long to read these tokens. Send fewer at once."
        ) from None
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [each.result() for each in reading]


async def _encode_chat(served: ServedModel[Engine], codec: TokenCodec, request: TokenizeRequest) -> Encoded:
    if served.model.kind != "chat":
        raise Unsupported("messages", "It reads no conversations; send the text as `prompt`")
    fields = {"messages", "tools", "chat_template_kwargs"}
    body = request.model_dump(mode="json", exclude_none=True, exclude_unset=True, include=fields)
    asked = ChatRequest.model_validate({"model": served.name, **body})
    if served.model.tools_by == "constrained":
        asked = as_answered(asked)
    return await codec.encode_chat(
        asked,
        special=request.add_special_tokens,
        answer_follows=request.add_generation_prompt,
        named=request.return_token_strs,
    )


async def _codec(served: ServedModel[Engine]) -> TokenCodec:
    await served.load()
    codec = served.ready().tokens()
    if codec is None:
        raise NoTokenizerHere(served.name)
    return codec


async def _frame(codec: TokenCodec) -> tuple[list[int], list[int]]:
    """The tokens that begin and end any text."""
    plain, framed = (await codec.encode("a", special=False)).ids, (await codec.encode("a", special=True)).ids
    for start in range(len(framed) - len(plain) + 1):
        if framed[start : start + len(plain)] == plain:
            return framed[:start], framed[start + len(plain) :]
    return [], []


def _inside(ids: list[int], before: list[int], after: list[int]) -> list[int]:
    """Without what begins and ends any text, if it has that."""
    if before and ids[: len(before)] == before:
        ids = ids[len(before) :]
    return ids[: -len(after)] if after and ids[-len(after) :] == after else ids
