from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from extraction.model import parts
from extraction.model.document import START, Builder, Extracted
from extraction.model.failures import ParseFailed, no_text
from extraction.model.limits import Limits
from extraction.model.parser import whole_file

LIMITS = Limits(max_pages=1, max_text_chars=1_000_000)


def read(path: Path, limits: Limits) -> Extracted:
    builder = Builder()
    for line in path.read_text().splitlines():
        builder.block("paragraph", line * 1000)
    return builder.finish()


def test_a_file_that_is_read_at_once_comes_in_parts_and_goes_on_behind_any_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.split, "__defaults__", (2500,))
    path = tmp_path / "document"
    path.write_text("a\nb\nc\nd\ne")
    all_parts = list(whole_file(read)(path, LIMITS))
    assert [part.text.replace("\n", "")[::1000] for part in all_parts] == ["ab", "cd", "e"]
    assert all(one.done < other.done for one, other in pairwise(all_parts))
    resume = START
    for count, part in enumerate(all_parts, 1):
        resume = resume.after(part)
        assert list(whole_file(read)(path, LIMITS, resume)) == all_parts[count:]


def test_what_is_wrong_with_a_file_is_said_when_it_is_read(tmp_path: Path) -> None:
    def fail(path: Path, limits: Limits) -> Extracted:
        raise no_text()

    with pytest.raises(ParseFailed, match="No text"):
        list(whole_file(fail)(tmp_path, LIMITS))
