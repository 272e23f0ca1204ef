"""Embedding and rerank models without weights: deterministic and instant. For tests, and for trying the API."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

import numpy as np

from inference.engines.file_tokens import FileTokens
from inference.protocol.engines import NO_EXTRA_FIELDS, ExtraFields, RankingResult, Vectors
from inference.protocol.prefixes import NO_PREFIXES, Prefixes
from inference.protocol.tokens import TokenCodec
from inference.requests.generation_request import reject_unknown_fields

WORD = re.compile(r"\w+|[^\w\s]+")
KNOWN = (
    "[UNK] . , ? ! a all and are as at be by can capital cats count do ever first for France from have he how I in is "
    "it not of on one or Paris say she text that the these they this to was we what What which who with word you"
)
WORDS = KNOWN.split()
TOKENIZER = json.dumps(
    {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": WORDS[0]},
    }
).encode()
"""A `tokenizer.json` that counts as these models do: one token for a word, one for a run of punctuation. Words that it
does not know are all one token, whose text nobody can tell."""


def count_words(text: str) -> int:
    """Tokens of a text."""
    return sum(1 for _ in WORD.finditer(text))


class ScriptedEncoder:
    """An `Encoder`: a bag of hashed words, so texts that share words are near each other."""

    def __init__(self, dimensions: int, max_input_tokens: int) -> None:
        self._dimensions = dimensions
        self._limit = max_input_tokens

    def open(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to free."""

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Words and runs of punctuation."""
        return [count_words(text) for text in texts]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Normalised float32 rows; a text without words points in a direction of its own."""
        return np.stack([self._vector(text) for text in texts])

    def tokenizer(self) -> bytes:
        """Counts words."""
        return TOKENIZER

    def prefixes(self) -> Prefixes:
        """None: it reads all texts alike."""
        return NO_PREFIXES

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self._dimensions, dtype=np.float32)
        words = WORD.findall(text.casefold())[: self._limit]
        for word in words or [f"\0{text}"]:
            digest = hashlib.sha256(word.encode()).digest()
            vector[int.from_bytes(digest[:4], "little") % self._dimensions] += 1 if digest[4] % 2 else -1
        length = float(np.linalg.norm(vector))
        if length == 0:  # words that cancel each other out
            vector[0], length = 1, 1
        return vector / np.float32(length)


class ScriptedModel:
    """What the models without weights that answer at once have in common."""

    def __init__(self) -> None:
        self._tokens = FileTokens(lambda: TOKENIZER)

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def probe(self) -> None:
        """It always answers."""

    def tokenizer(self) -> bytes | None:
        """Counts words."""
        return TOKENIZER

    def tokens(self) -> TokenCodec | None:
        """Known words."""
        return self._tokens


class ScriptedRank(ScriptedModel):
    """A `RerankEngine`: the share of the query's words that a document has."""

    def __init__(self, max_input_tokens: int) -> None:
        super().__init__()
        self._limit = max_input_tokens

    async def rank(self, query: str, documents: Sequence[str], extra: ExtraFields = NO_EXTRA_FIELDS) -> RankingResult:
        """Scores from 0 to 1."""
        reject_unknown_fields(extra)
        asked = set(WORD.findall(query.casefold()))
        read = [WORD.findall(document.casefold()) for document in documents]
        scores = tuple(len(asked & set(words[: self._limit])) / max(1, len(asked)) for words in read)
        tokens = len(asked) * len(read) + sum(min(len(words), self._limit) for words in read)
        return RankingResult(scores, tokens, sum(len(words) > self._limit for words in read))
