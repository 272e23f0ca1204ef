from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.models.catalog import ModelInfo
from lab.tuning.errors import VectorsUnfit
from lab.tuning.sources.vector_file import VECTORS, append, begin, name_of, unit_rows

MODEL = ModelInfo(id="words", kind="embedding", dimensions=2, digest="sha256:a")


def test_another_attempt_goes_on_behind_the_last_whole_row(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    assert begin(folder, "one", 2) == 0
    append(folder / VECTORS, unit_rows(np.array([[3.0, 4.0], [0.0, 2.0]]), MODEL))
    append(folder / VECTORS, b"torn")
    assert begin(folder, "one", 2) == 2
    rows = np.fromfile(folder / VECTORS, "<f4").reshape(-1, 2)
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 1.0]], atol=1e-6)
    assert begin(folder, "other texts", 2) == 0
    assert (folder / VECTORS).stat().st_size == 0


def test_vectors_are_named_by_the_model_and_by_the_texts_with_what_they_are() -> None:
    other = MODEL.model_copy(update={"digest": "sha256:b"})
    names = [
        name_of(MODEL, {"passage": ["ab", "c"]}),
        name_of(MODEL, {"passage": ["a", "bc"]}),
        name_of(MODEL, {"passage": ["ab"], "query": ["c"]}),
        name_of(other, {"passage": ["ab", "c"]}),
    ]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("rows", "says"),
    [([[1.0, 2.0, 3.0]], "said to have 2 numbers"), ([[1.0, float("nan")]], "no number"), ([[]], "said to have 2")],
)
def test_vectors_that_are_none_are_refused(rows: list[list[float]], says: str) -> None:
    with pytest.raises(VectorsUnfit, match=says):
        unit_rows(np.array(rows), MODEL)
