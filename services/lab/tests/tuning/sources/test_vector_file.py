from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.models.catalog import ModelInfo
from lab.tuning.errors import VectorsUnfit
from lab.tuning.sources.vector_file import KEY, VECTORS, Read, append, begin, name_of, note, unit_rows

MODEL = ModelInfo(id="words", kind="embedding", dimensions=2, digest="sha256:a")


def _rows(count: int) -> bytes:
    return unit_rows(np.array([[3.0, 4.0], [0.0, 2.0]])[:count], MODEL)


def test_another_attempt_goes_on_behind_the_last_noted_row(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    assert begin(folder, "one", 2, 0) == Read("one")
    append(folder / VECTORS, _rows(2))
    note(folder, Read("one", 2, 9, 1))
    append(folder / VECTORS, _rows(1))
    append(folder / VECTORS, b"torn")
    assert begin(folder, "one", 2, 0) == Read("one", 2, 9, 1)
    rows = np.fromfile(folder / VECTORS, "<f4").reshape(-1, 2)
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 1.0]], atol=1e-6)


def test_tokens_of_other_texts_stay_counted(tmp_path: Path) -> None:
    begin(tmp_path, "one", 2, 0)
    append(tmp_path / VECTORS, _rows(2))
    note(tmp_path, Read("one", 2, 9, 1))
    for _ in range(2):
        assert begin(tmp_path, "other texts", 2, 9) == Read("other texts", tokens=9)
    assert (tmp_path / VECTORS).stat().st_size == 0


def test_rows_that_the_disk_lost_are_read_again(tmp_path: Path) -> None:
    begin(tmp_path, "one", 2, 0)
    append(tmp_path / VECTORS, _rows(1))
    note(tmp_path, Read("one", 2, 9))
    assert begin(tmp_path, "one", 2, 9) == Read("one", 1, 9)


def test_what_an_earlier_version_left_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text("one")
    append(tmp_path / VECTORS, _rows(2))
    assert begin(tmp_path, "one", 2, 7) == Read("one", 2, 7)
    (tmp_path / KEY).write_text("another")
    assert begin(tmp_path, "one", 2, 7) == Read("one", 0, 7)


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
