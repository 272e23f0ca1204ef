"""A model's tokenizer, wherever it is: in this process, in llama.cpp's, or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.models.chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of a text; `names` are those that they have in the vocabulary, if somebody asked for them."""

    ids: list[int]
    names: list[str] | None = None


class TokenCodec(Protocol):
    """Texts as tokens and back. All raise 400 for what the tokenizer can't do, `NoTokenizerHere` if there is none."""

    async def encode(self, text: str, *, special: bool, named: bool = False) -> Encoded:
        """The text's tokens, with (`special`) those that begin and end any text. A special token that the text spells
        is one token."""
        ...

    async def decode(self, ids: Sequence[int]) -> str:
        """The text that tokens spell, special ones too; raises `TokenUnknown` for one beyond the vocabulary."""
        ...

    async def encode_chat(
        self, request: ChatRequest, *, special: bool | None, answer_follows: bool, named: bool = False
    ) -> Encoded:
        """The tokens of a conversation as the model reads it, by its chat template. `answer_follows`: with what begins
        an answer."""
        ...
