from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from extraction.formats.catalog import CODE, FORMATS, PDF, TEXT, media_type_of
from extraction.formats.format import Format
from extraction.model.parser import Parser


@pytest.mark.parametrize("each", list(FORMATS), ids=lambda each: each.label)
def test_every_format_has_a_parser_of_the_one_signature(each: Format) -> None:
    module = import_module(each.parser)
    wanted = inspect.signature(Parser.__call__).parameters
    assert list(inspect.signature(module.read).parameters) == list(wanted)[1:]
    assert hasattr(module, "read_into") == bool(each.nesting)


def test_a_name_tells_the_format_by_its_suffix_or_as_a_whole() -> None:
    assert media_type_of("folder/Annual.Report.PDF") == PDF
    assert (media_type_of("Makefile"), media_type_of("Makefile.md")) == (CODE, "text/markdown")
    assert media_type_of("CMakeLists.txt") == TEXT
    assert [media_type_of(name) for name in (".pdf", "pdf", "photo.png", "")] == [None] * 4


def test_the_catalog_needs_no_parser() -> None:
    """The command line is installed without what parsers need."""
    folder = Path(inspect.getfile(Format)).parent
    for name in ("catalog.py", "format.py"):
        imports = [line for line in (folder / name).read_text().splitlines() if line.startswith(("from ", "import "))]
        assert all(
            line.split()[1].split(".")[0] in ("__future__", "collections", "dataclasses", "typing", "extraction")
            for line in imports
        )
