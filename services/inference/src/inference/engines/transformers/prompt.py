"""Turns messages into a prompt's tokens. Control tokens are those of the template alone: what a message holds is text.

A message that spells a control token (`<|im_start|>`) is put between two marks before the template sees it, and what
stands between them afterwards is read as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_BEGIN, _END = "\ufdd0", "\ufdd1"
"""Code points that no text holds: Unicode keeps them for a program's own use."""
_MARKS = re.compile(f"[{_BEGIN}{_END}]")
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
Render = Callable[[list[dict[str, str]]], str]


class ChatPrompt:
    """Encodes conversations with a folder's tokenizer; `render` is its template, and raises what that refuses."""

    def __init__(self, file: Path, render: Render) -> None:
        from tokenizers import Tokenizer  # imported in its thread: seconds

        self._tokenizer = Tokenizer.from_file(str(file))
        self._plain = Tokenizer.from_file(str(file))
        self._plain.encode_special_tokens = True  # as ordinary characters, that is
        self._render = render
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._control = sorted((token.content for token in added if token.special and token.content), key=len)

    def tokens(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The prompt of these messages, up to where the answer begins."""
        if not any(self._spells_control(message["content"]) for message in messages):
            return self._read(self._tokenizer, self._render([dict(message) for message in messages]))
        marked = [{**message, "content": self._marked(message["content"])} for message in messages]
        text = self._render(marked)
        if _MARKS.search(_MARKED.sub("", text)):  # the template cut through a message
            parted = [{**message, "content": self._parted(message["content"])} for message in messages]
            return self._read(self._tokenizer, self._render(parted))
        return [token for piece, plain in _pieces(text) for token in self._read(self._tokenizer_for(plain), piece)]

    def _spells_control(self, text: str) -> bool:
        return any(token in text for token in self._control)

    def _marked(self, text: str) -> str:
        """With marks inside of the blanks around it, which templates take off."""
        text = _MARKS.sub("\ufffd", text)
        if not self._spells_control(text):
            return text
        core = text.strip()
        return text.replace(core, f"{_BEGIN}{core}{_END}", 1)

    def _parted(self, text: str) -> str:
        text = _MARKS.sub("\ufffd", text)
        for token in reversed(self._control):
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _tokenizer_for(self, plain: bool) -> Any:
        return self._plain if plain else self._tokenizer

    @staticmethod
    def _read(tokenizer: Any, text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids if text else []
        return ids


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    """What the template wrote and what messages did (True), in turn."""
    return ((piece, number % 2 == 1) for number, piece in enumerate(_MARKED.split(text)))
