"""Counting in the embedding model's own tokens."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from tokenizers import Tokenizer

SEGMENT = 16_384
AT_ONCE = 64
CHECK_EVERY = 256
"""Spans that are measured between two checks: a few milliseconds."""
CHARS_PER_TOKEN = 12
"""A span counts at least one token for this many characters: some tokenizers make one unknown token of a long word."""


class Tokens:
    """A model's tokenizer, never cutting and never padding."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.special = tokenizer.num_special_tokens_to_add(is_pair=False)
        """Tokens that the model adds to every input."""

    @classmethod
    def from_json(cls, content: bytes) -> Tokens:
        """From a `tokenizer.json`; raises `ValueError` if it is not one."""
        try:
            return cls(Tokenizer.from_str(content.decode()))
        except Exception as error:  # noqa: BLE001  # the library raises bare Exception for any malformed file
            raise ValueError(f"not a tokenizer file: {error}") from None

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as the model reads it, its special tokens included."""
        return [
            len(encoding)
            for first in range(0, len(texts), AT_ONCE)
            for encoding in self._tokenizer.encode_batch(list(texts[first : first + AT_ONCE]))
        ]

    def head(self, text: str, limit: int) -> str:
        """As much of the beginning of `text` as `limit` tokens hold."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return text if len(encoding) <= limit else text[: encoding.offsets[limit][0]].rstrip()

    def positions(self, text: str) -> Iterator[list[int]]:
        """Where each token of `text` starts, in code points, in order; some at a time."""
        segments = _segments(text)
        for first in range(0, len(segments), AT_ONCE):
            some = segments[first : first + AT_ONCE]
            encodings = self._tokenizer.encode_batch([text[start:end] for start, end in some], add_special_tokens=False)
            for (origin, _), encoding in zip(some, encodings, strict=True):
                yield sorted(origin + start for start, _ in encoding.offsets)


def go_on() -> None:
    """The check of a cut that nobody ends."""


class Measure:
    """The size in tokens of any span of one text, without tokenizing it again.

    Whatever cuts a text measures it again and again: so this is where `check` is called, which raises to end the cut.
    """

    def __init__(self, text: str, tokens: Tokens, check: Callable[[], None] = go_on) -> None:
        self.text = text
        self.check = check
        self._measured = 0
        self._starts: array[int] = array("Q")
        for some in tokens.positions(text):
            check()
            self._starts.extend(some)

    def size(self, start: int, end: int) -> int:
        """Tokens of `text[start:end]`. A cut inside a word can make it off by a few."""
        self._measured += 1
        if self._measured % CHECK_EVERY == 0:
            self.check()
        tokens = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        return max(tokens, -(-(end - start) // CHARS_PER_TOKEN))

    def reach(self, start: int, budget: int, end: int) -> int:
        """How far from `start`, at most to `end`, `budget` tokens go; always further than `start`."""
        self.check()
        index = bisect_left(self._starts, start) + budget
        limit = self._starts[index] if index < len(self._starts) else end
        return max(start + 1, min(end, limit, start + budget * CHARS_PER_TOKEN))

    def back(self, end: int, budget: int, floor: int) -> int:
        """How far before `end`, at most to `floor`, `budget` tokens go."""
        index = max(0, bisect_left(self._starts, end) - budget)
        start = self._starts[index] if index < len(self._starts) else end
        return max(floor, min(end, max(start, end - budget * CHARS_PER_TOKEN)))


def _segments(text: str) -> list[tuple[int, int]]:
    """The text in pieces that end behind white space wherever there is some."""
    segments, start = [], 0
    while start < len(text):
        end = min(len(text), start + SEGMENT)
        if end < len(text):
            blank = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = blank + 1 if blank > start else end
        segments.append((start, end))
        start = end
    return segments
