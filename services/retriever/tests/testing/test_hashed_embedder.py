from __future__ import annotations

import math
import operator

import pytest

from retriever.errors import EmbeddingModelUnknown
from retriever.testing.hashed_embedder import HashedEmbedder
from servicekit.core.errors import UpstreamFailed


async def test_texts_that_share_words_are_near_and_all_are_of_unit_length() -> None:
    made = await HashedEmbedder().embed("hashed", ["a red car", "the red cars", "lanterns"], "bulk", "token")
    first, second, third = made.vectors
    assert math.hypot(*first) == pytest.approx(1)
    near, far = (sum(map(operator.mul, first, other)) for other in (second, third))
    assert near > far
    assert made.tokens == 7


async def test_words_beyond_the_limit_are_not_read_and_counted() -> None:
    embedder = HashedEmbedder()
    made = await embedder.embed("hashed", ["word " * 300], "query", "token")
    assert (made.tokens, made.truncated) == (256, 1)
    assert (await embedder.get_model("default", "token")).name == "hashed"
    with pytest.raises(EmbeddingModelUnknown):
        await embedder.get_model("other", "token")


async def test_it_fails_as_it_is_told() -> None:
    embedder = HashedEmbedder()
    embedder.failure = UpstreamFailed("gone")
    with pytest.raises(UpstreamFailed):
        await embedder.embed("hashed", ["x"], "query", "token")
