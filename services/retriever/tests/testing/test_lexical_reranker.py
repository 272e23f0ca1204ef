from __future__ import annotations

from retriever.testing.lexical_reranker import LexicalReranker


async def test_a_text_s_score_is_its_share_of_the_query_s_words() -> None:
    reranker = LexicalReranker()
    relevance = await reranker.relevance("default", "red lantern", ["The red lantern", "A lantern", "Nothing"], "token")
    best, half, none = relevance.scores
    assert best > half > none
    assert reranker.calls == [("red lantern", ["The red lantern", "A lantern", "Nothing"])]
