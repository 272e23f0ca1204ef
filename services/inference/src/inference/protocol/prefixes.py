"""What is put before a text, so that an embedding model knows a question from what answers it."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.models.catalog import InputType


@dataclass(frozen=True, slots=True)
class Prefixes:
    """As the model was trained with them."""

    query: str = ""
    passage: str = ""

    def of(self, input_type: InputType) -> str:
        """That of one of them."""
        return self.query if input_type == "query" else self.passage

    @property
    def room(self) -> int:
        """Tokens that the longer one may take: none is shorter than a byte."""
        return max(len(self.query.encode()), len(self.passage.encode()))


NO_PREFIXES = Prefixes()
