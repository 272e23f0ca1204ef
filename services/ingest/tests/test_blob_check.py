from __future__ import annotations

from pathlib import Path

import pytest

from ingest import blob_check
from ingest.settings import IngestSettings


def _folder(tmp_path: Path, *, is_file: bool) -> IngestSettings:
    place = tmp_path / "blobs"
    if is_file:
        place.write_text("no folder")
    return IngestSettings(data_dir=tmp_path / "data", blobs_url=f"file://{place}")


async def test_a_store_that_can_be_written_has_no_problem_and_one_that_cannot_says_which(tmp_path: Path) -> None:
    assert await blob_check.problem(_folder(tmp_path, is_file=False)) == ""
    assert not any((tmp_path / "blobs").rglob("*.sqlite"))
    other = tmp_path / "other"
    other.mkdir()
    assert (await blob_check.problem(_folder(other, is_file=True))).startswith("its folder can't be written: ")


@pytest.mark.parametrize(
    ("url", "says"), [("s3://B", "a bucket's name has 3 to 63"), ("https://x", "give file:///path, s3://bucket")]
)
def test_a_setting_that_names_no_place_is_told_in_one_line(
    url: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INGEST_BLOBS_URL", url)
    assert blob_check.main() == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(says)


def test_the_exit_status_says_whether_bytes_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(blob_check, "configure_logging", lambda *_: None)
    monkeypatch.setenv("INGEST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("INGEST_BLOBS_URL", f"file://{tmp_path}/blobs")
    assert blob_check.main() == 0
    assert capsys.readouterr().out == "bytes can be written\n"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INGEST_BLOBS_URL", f"file://{tmp_path}/file")
    assert blob_check.main() == 1
    assert "can't be written" in capsys.readouterr().out
