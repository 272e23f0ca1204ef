"""Texts as a model's tokens and back, in vLLM's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from contracts.core.base import Count, Reply, Request
from contracts.core.values import Passed, Text, check_text
from contracts.models.chat import Message

TokenId = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
"""A token's number in the vocabulary of one model: it means something else, or nothing, to any other."""
TEXTS_OR_TOKENS = "a text, a list of texts, the token ids of one, or a list of such lists"


def check_texts_or_tokens(value: object, most: int) -> object:
    """Say in one sentence what is wrong with a field that takes texts or token ids; raises `ValueError`."""
    if isinstance(value, list) and value and all(map(_is_number, value)):
        return value
    each = value if isinstance(value, list) else [value]
    if not each or len(each) > most:
        raise ValueError(f"must be {TEXTS_OR_TOKENS}; 1 to {most} of them, there are {len(each)}")
    for number, one in enumerate(each):
        if not isinstance(one, list if isinstance(each[0], list) else str):
            raise ValueError(f"must be {TEXTS_OR_TOKENS}, not {type(one).__name__}; see number {number}")
        if not one:
            raise ValueError(f"must not be empty; see number {number}")
        if isinstance(one, str):
            _check(one, number)
        elif not all(map(_is_number, one)):
            raise ValueError(f"must be token ids, whole numbers from 0; see number {number}")
    return value


def token_lists(value: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]) -> list[list[int]] | None:
    """The token ids in such a field, a list each; None where it has texts."""
    if isinstance(value, str) or isinstance(value[0], str):
        return None
    lists: Any = [value] if isinstance(value[0], int) else value
    return [list(each) for each in lists]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _check(text: str, number: int) -> None:
    try:
        check_text(text)
    except ValueError as error:
        raise ValueError(f"{error}; see number {number}") from None


class TokenizeRequest(Request):
    """Body of `POST /v1/tokenize`: a `prompt`, or the `messages` of a chat as the model would read them."""

    model: str = "default"
    """Of any kind; `default` means the default chat model."""
    prompt: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)] | None = None
    add_special_tokens: bool | None = None
    """Whether the tokens are added that begin and end a text of this model. Unsaid, as the model reads it: with a
    prompt they are."""
    return_token_strs: bool = False
    """Whether the tokens' names in the vocabulary are given, too."""
    add_generation_prompt: bool = True
    """Whether the messages end with what begins an answer."""
    tools: list[dict[str, Passed]] | None = None
    chat_template_kwargs: dict[str, Passed] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenizeRequest:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either `prompt` or `messages`")
        return self


class TokenizeReply(Reply):
    """The tokens of a text. `max_model_len` is how many the model reads."""

    count: Count
    max_model_len: Count | None = None
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeRequest(Request):
    """Body of `POST /v1/detokenize`."""

    model: str = "default"
    tokens: list[TokenId]


class DetokenizeReply(Reply):
    """The text that the tokens spell."""

    prompt: str


class TokenTextsRequest(Request):
    """Between services: the texts of which these are exactly the model's tokens, special ones or not around them."""

    model: str
    param: str
    """The field that they were given in, for the error."""
    tokens: Annotated[list[list[TokenId]], Field(min_length=1)]


class TokenTexts(Reply):
    """Those texts, in their order."""

    texts: list[str]
