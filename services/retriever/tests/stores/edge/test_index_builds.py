from __future__ import annotations

import pytest

from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.shards import Shard


class Engine:
    """Has as many points as a test says, and counts the sparse vector of each as indexed."""

    def __init__(self, points: int) -> None:
        self.points_count = self.indexed_vectors_count = points

    def info(self) -> Engine:
        return self


@pytest.mark.parametrize(
    ("least", "points", "indexed", "due"),
    [
        (0, 10**6, None, False),
        (100, 99, None, False),
        (100, 100, None, True),
        (100, 1000, 850, False),
        (100, 1000, 750, True),
    ],
)
def test_an_index_is_due_when_too_many_points_lie_beside_it(
    least: int, points: int, indexed: int | None, due: bool
) -> None:
    shard = Shard()
    shard.indexed = indexed
    shard.engine = Engine(points)  # type: ignore[assignment]
    assert BuildRules(points=least).due(shard) == due
