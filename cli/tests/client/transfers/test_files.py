from __future__ import annotations

import os
from pathlib import Path

import pytest

from groundwork.client.transfers.files import NameUnusable, NoSuchFile, check_name, document_id, find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "sub/b.PDF", "sub/deeper/c.txt", ".hidden/d.md", "image.png", "sub/.e.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return tmp_path


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def test_a_folder_means_all_below_it_but_hidden_files(folder: Path) -> None:
    found = find_files([str(folder)])
    assert names(found.files) == ["a.md", "b.PDF", "c.txt"]
    assert names(found.skipped) == ["image.png"]


def test_every_format_that_is_read_is_taken_from_a_folder(tmp_path: Path) -> None:
    for name in ("a.json", "b.jsonl", "c.py", "d.go", "Makefile", "e.csv", "f.eml", "g.rst", "h.zip", "i.png"):
        (tmp_path / name).write_text("x")
    for name in ("node_modules", "__pycache__", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "j.js").write_text("x")
    found = find_files([str(tmp_path)])
    assert [file.name for file in found.skipped] == ["i.png"]
    assert len(found.files) == 9


def test_empty_source_code_in_a_folder_is_no_document_and_any_other_empty_file_is_sent(tmp_path: Path) -> None:
    for name in ("pkg/__init__.py", "pkg/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    found = find_files([str(tmp_path)])
    assert (names(found.files), names(found.skipped)) == (["a.md"], ["__init__.py"])
    assert names(find_files([str(tmp_path / "pkg" / "__init__.py")]).files) == ["__init__.py"], "it was named"
    assert names(find_files([f"{tmp_path}/*.py"]).files) == ["gone.py"], "sending it tells that it can't be read"


def test_a_pattern_that_the_shell_left_alone_is_expanded(folder: Path) -> None:
    assert names(find_files([f"{folder}/**/*.txt"]).files) == ["c.txt"]


def test_a_file_named_twice_is_taken_once(folder: Path) -> None:
    assert names(find_files([str(folder / "a.md"), str(folder)]).files).count("a.md") == 1


def test_a_pattern_that_is_none_says_how_to_write_it(folder: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"\*\*/\*\.md"):
        find_files([f"{folder}/**.md"])


@pytest.mark.parametrize("name", ["Screenshot 10.00\u202fAM.md", "Gr\u00fc\u00dfe\u00a0\U0001f642.md", "a b.md"])
def test_names_with_any_letters_and_blanks_can_be_sent(name: str) -> None:
    check_name(name)
    assert document_id(Path(name))


@pytest.mark.parametrize("name", ["a\nb.md", os.fsdecode(b"bad\xff.md"), "a\x1b[0m.md"])
def test_a_name_that_is_no_text_is_refused_by_name(name: str) -> None:
    assert document_id(Path(name))
    with pytest.raises(NameUnusable, match="rename it"):
        check_name(name)


@pytest.mark.parametrize("missing", ["nowhere.md", "nothing-*.md"])
def test_what_does_not_exist_is_an_error_not_an_empty_result(folder: Path, missing: str) -> None:
    with pytest.raises(NoSuchFile, match="no"):
        find_files([str(folder / missing)])


def test_a_documents_id_is_stable_valid_and_keeps_equal_names_apart(folder: Path) -> None:
    one, two = folder / "ü name.md", folder / "sub" / "ü name.md"
    assert document_id(one) == document_id(folder / "sub" / ".." / "ü name.md")
    assert document_id(one) != document_id(two)
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in document_id(one))
