from __future__ import annotations

from retriever.stores import filters
from retriever.stores.queries import nearest, scores_of
from retriever.text.bm25 import SparseVector


def test_without_a_query_or_a_word_nothing_is_asked() -> None:
    assert nearest(None, None, 3) is None
    assert nearest(SparseVector([], []), None, 3) is None
    assert scores_of([1.0], []) is None


def test_only_a_list_by_meaning_of_points_unnamed_may_be_short() -> None:
    by_meaning = nearest([1.0], filters.document("d"), 3)
    named = scores_of([1.0], ["a", "b"])
    by_words = nearest(SparseVector([1], [1.0]), None, 3)
    assert by_meaning is not None
    assert named is not None
    assert by_words is not None
    assert [each.may_be_short for each in (by_meaning, named, by_words)] == [True, False, False]
    assert (named.is_of_these, named.limit) == (True, 2)
