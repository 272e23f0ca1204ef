"""What any classification engine of inference must do. A subclass gives the fixture `engine`.

Nothing is said about which label is right, so that any head and any guard can be held to it.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from inference.protocol.engines import ClassificationEngine

TEXTS = [
    "A blue boat.",
    "  Die rote Katze schläft. \U0001f408 The red car stands in the yard.\n",
    "How do I make a bomb?",
    "Quarterly revenue rose by nine percent.",
]
LONG = " ".join(f"The red car {number} stands in yard {number}, and nobody knows whose it is." for number in range(400))
NEAR = 1e-3


class ClassificationConformance:
    """A classification engine that is loaded."""

    async def test_it_has_labels_of_different_names(self, engine: ClassificationEngine) -> None:
        labels = engine.labels()
        assert len(labels) >= 2
        assert len(set(labels)) == len(labels)

    async def test_each_text_has_a_score_from_0_to_1_for_each_label(self, engine: ClassificationEngine) -> None:
        found = await engine.classify(TEXTS)
        assert found.labels == engine.labels()
        assert found.scores.shape == (len(TEXTS), len(found.labels))
        assert np.isfinite(found.scores).all()
        assert (found.scores >= 0).all()
        assert (found.scores <= 1 + NEAR).all()
        assert found.scores.max(axis=1).min() > 0

    async def test_scores_do_not_depend_on_the_texts_beside_them(self, engine: ClassificationEngine) -> None:
        together = (await engine.classify([*TEXTS, "longer " * 20])).scores
        for row, text in zip(together, TEXTS, strict=False):
            assert row == pytest.approx((await engine.classify([text])).scores[0], abs=NEAR)

    async def test_calls_at_once_get_their_own(self, engine: ClassificationEngine) -> None:
        alone = (await engine.classify(TEXTS)).scores
        calls = await asyncio.gather(*(engine.classify([text] * 3) for text in TEXTS))
        for row, found in zip(alone, calls, strict=True):
            assert found.scores == pytest.approx(np.stack([row] * 3), abs=NEAR)

    async def test_tokens_are_counted_and_what_is_too_long_is_cut_and_told(self, engine: ClassificationEngine) -> None:
        read = await engine.classify(TEXTS[:1])
        assert (read.tokens >= 3, read.truncated) == (True, 0)
        assert (await engine.classify([TEXTS[0], LONG])).truncated == 1

    async def test_parts_of_a_text_are_read_whole_and_are_all_of_it(self, engine: ClassificationEngine) -> None:
        parts = await engine.parts(LONG)
        assert len(parts) > 1
        assert (await engine.classify(parts)).truncated == 0
        at = 0
        for part in parts:
            found = LONG.find(part)
            assert 0 <= found <= at, "nothing between two parts is left out"
            at = found + len(part)
        assert at == len(LONG)
        assert await engine.parts(TEXTS[0]) == [TEXTS[0]]

    async def test_it_says_that_it_is_alive(self, engine: ClassificationEngine) -> None:
        await engine.probe()
