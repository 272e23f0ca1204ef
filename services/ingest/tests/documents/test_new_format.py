"""A format is added in one place: its entry, beside its parser. All the rest follows from it."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from extraction.formats import catalog, detection, reader
from extraction.formats.detection import HEAD, Received, detect
from extraction.formats.format import Format, Registry
from extraction.model.document import START, Builder, Extracted, Resume
from extraction.sandbox.extractor import SandboxedExtractor
from extraction.text.text_file import text_file

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service

SCORE = b"%abc-2.1\nT:The Silver Spear\nK:D\n|:A|fafa:|"
MUSIC = Format(
    media_type="text/vnd.abc", label="ABC notation", suffixes="abc", magic=b"%abc", is_text=True, parser="abc_notation"
)


def parse(text: str) -> Extracted:
    """The tune's fields, each a paragraph; its title is the document's."""
    builder = Builder()
    fields = dict(line.split(":", 1) for line in text.splitlines() if line[1:2] == ":" and line[0] != "|")
    for name, value in fields.items():
        builder.block("paragraph", f"{name}: {value}")
    return builder.finish(fields["T"])


@pytest.fixture
def music(monkeypatch: pytest.MonkeyPatch) -> None:
    """The format, registered; documents are read in this process, since a module of tests is in no other."""
    module = ModuleType(MUSIC.parser)
    module.read = text_file(parse)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MUSIC.parser, module)
    extended = Registry([*catalog.FORMATS, MUSIC])
    for user in (catalog, detection, reader):
        monkeypatch.setattr(user, "FORMATS", extended)

    async def parts(
        self: SandboxedExtractor, source: Path, media_type: str, resume: Resume = START
    ) -> AsyncGenerator[Extracted, None]:
        for part in reader.parts(source, media_type, self.limits, resume):
            yield part

    monkeypatch.setattr(SandboxedExtractor, "parts", parts)


async def test_a_new_format_is_told_sent_and_ingested_by_its_entry_alone(service: Service, music: None) -> None:
    assert catalog.media_type_of("tunes/Spear.ABC") == MUSIC.media_type
    told = detect(Received(SCORE[:HEAD], SCORE[-HEAD:], has_nul=False, filename="download", declared=""))
    assert told == MUSIC.media_type
    await service.upload(SCORE, media_type=told, document_id="spear")
    await service.work_all()
    document = await service.document("spear")
    assert (document["status"], document["media_type"]) == ("ready", MUSIC.media_type)
    assert await service.text("spear") == "T: The Silver Spear\n\nK: D"
