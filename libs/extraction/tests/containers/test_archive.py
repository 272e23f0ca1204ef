from __future__ import annotations

import io
import zipfile

import pytest
from libs.extraction.tests.cases import failure, outline, packed, read

from extraction.formats.catalog import ZIP


def test_members_come_by_name_under_their_paths_each_by_its_own_parser() -> None:
    document = read(
        packed(
            {
                "b/list.csv": "a,b\n1,2\n",
                "a.md": "# Guide\n\nWords.",
                "b\\code.py": "x = 1",
                "logo.png": b"\x89PNG",
                "empty/__init__.py": "",
                "blank.txt": " \n ",
                "__MACOSX/._a.md": b"\0\1",
            }
        ),
        ZIP,
    )
    assert outline(document) == [
        ("heading", "a.md"),
        ("heading", "Guide"),
        ("paragraph", "Words."),
        ("heading", "b/code.py"),
        ("code", "x = 1"),
        ("heading", "b/list.csv"),
        ("table", "a | b\n-|-\n1 | 2"),
    ]
    assert document.blocks[2].heading_path == ("a.md", "Guide")
    assert document.title is None


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/passwd", "C:\\out.txt", "a\\..\\..\\out.txt"])
def test_names_that_lead_out_of_the_archive_are_refused(name: str) -> None:
    refused = failure(packed({"a.txt": "fine", name: "not fine"}), ZIP)
    assert refused.code == "malformed"
    assert "unsafe path" in refused.message


def test_links_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "holds a link" in failure(buffer.getvalue(), ZIP).message


def test_a_member_that_cannot_be_read_fails_the_archive_by_name() -> None:
    refused = failure(packed({"a.txt": "fine", "b.pdf": "%PDF-1.4 broken"}), ZIP)
    assert (refused.code, "'b.pdf'" in refused.message) == ("malformed", True)
    binary = failure(packed({"a.txt": "fine", "tool.bin": bytes(range(256))}), ZIP)
    assert (binary.code, "'tool.bin'" in binary.message) == ("unsupported", True)
    content = packed({"a.txt": "some words that can be damaged " * 50})
    damaged = content.replace(content[60:70], b"0123456789", 1)
    assert failure(damaged, ZIP).code == "malformed"
    assert failure(packed({"logo.png": b"\x89PNG"}), ZIP).code == "no_text"
