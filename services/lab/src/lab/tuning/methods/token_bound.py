"""How many tokens a job that learns beside the layers of an encoder will read, counted as its process does: one that
would be too large ends before all that it needs is paid for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.tuning.bases import Base
from lab.tuning.errors import TooManyTokens
from lab.tuning.methods.lora import header_of
from lab.tuning.sources.passages import Searched

ABOUT = "encoder"
"""In the head of the encoder's file, what makes tokens."""


@dataclass(slots=True)
class TokenBound:
    """What was counted until now."""

    tokenizer: Any
    prefix: str
    """What comes before a question of an embedding model."""
    most: int
    tokens: int = 0

    @classmethod
    def open(cls, base: Base, most: int) -> TokenBound:
        """By the encoder's own tokenizer. Blocks."""
        from tokenizers import Tokenizer

        about = json.loads(header_of(base.weights)["__metadata__"][ABOUT])
        tokenizer = Tokenizer.from_str(base.tokenizer.decode())
        tokenizer.enable_truncation(int(about["limit"]))
        tokenizer.no_padding()
        return cls(tokenizer, str(about["prefix"]), most)

    def add_questions(self, questions: Sequence[str], times: int) -> None:
        """They are read so often."""
        self._add([self.prefix + question for question in questions], times)

    def add_passages(self, one: Searched, times: int) -> None:
        """Each is read with its question so often."""
        self._add([(one.question, text) for text in one.texts], times)

    def check(self, searched: int = 0, searches: int = 0) -> None:
        """Raise `TooManyTokens` where it is too much already, after so many of all searches."""
        if self.tokens > self.most:
            raise TooManyTokens(self.tokens, self.most, searched, searches)

    def _add(self, texts: Sequence[Any], times: int) -> None:
        self.tokens += times * sum(len(one.ids) for one in self.tokenizer.encode_batch(texts))
