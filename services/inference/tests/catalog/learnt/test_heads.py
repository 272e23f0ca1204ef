from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from services.inference.tests.heads import encoded, head

from inference.catalog.learnt.heads import MOST_BYTES, Head, read_head
from inference.errors import FileInvalid


def test_a_head_is_its_numbers_and_its_digest_another_one_for_any_other() -> None:
    one = Head.model_validate(head())
    np.testing.assert_array_equal(one.matrix(), np.array([[2, 0], [0, 2]], dtype=np.float32))
    np.testing.assert_array_equal(one.offsets(), np.array([0, 0.5], dtype=np.float32))
    assert one.digest == Head.model_validate(head()).digest
    assert one.digest != Head.model_validate(head(bias=[0.0, 0.25])).digest


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": ["late"]}, "at least 2"),
        ({"labels": ["late", "late"]}, "alike"),
        ({"bias": [0.0]}, "has 1"),
        ({"bias": [0.0, float("nan")]}, "finite"),
        ({"weights": "not base64"}, "base64"),
        ({"weights": encoded([1.0, 2.0, 3.0])}, "a row for each label"),
        ({"weights": encoded([1.0], [float("inf")])}, "finite"),
        ({"weights": encoded([3e38, 3e38], [0.0, 1.0])}, "from -1e9 to 1e9"),
        ({"bias": [0.0, 1e300]}, "from -1e9 to 1e9"),
        ({"embedding_model": "default"}, "name the model itself"),
        ({"embedding_digest": "sha256:ab"}, "embedding_digest"),
        ({"run": "rm"}, "run"),
    ],
)
def test_what_is_no_head_is_told(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Head.model_validate(head(**changes))
    (file := tmp_path / "head.json").write_text(json.dumps(head(**changes)))
    with pytest.raises(FileInvalid, match=r"head\.json is no head"):
        read_head(file)


def test_a_file_is_read_and_one_that_is_far_too_long_is_not(tmp_path: Path) -> None:
    (file := tmp_path / "head.json").write_text(json.dumps(head()))
    assert read_head(file) == Head.model_validate(head())
    file.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(FileInvalid, match="longer"):
        read_head(file)
