from __future__ import annotations

import numpy as np

from inference.engines.scripted.vectors import ScriptedEncoder, ScriptedRank, count_words


def test_texts_that_share_words_are_near_each_other() -> None:
    vectors = ScriptedEncoder(32, 16).encode(["a red car", "a red house", "other words entirely", ""])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_a_text_is_read_up_to_the_limit() -> None:
    encoder = ScriptedEncoder(32, 2)
    np.testing.assert_array_equal(encoder.encode(["red car"]), encoder.encode(["red car beyond"]))
    assert encoder.lengths(["red car, beyond"]) == [count_words("red car, beyond")] == [4]


async def test_a_document_s_score_is_its_share_of_the_query_s_words() -> None:
    ranked = await ScriptedRank(3).rank("red car", ["red car", "a red boat", "one two three car"])
    assert ranked.scores == (1.0, 0.5, 0.0)
    assert ranked.truncated == 1
