from __future__ import annotations

import io

from docx import Document
from docx.document import Document as Made
from libs.extraction.tests.cases import failure, laughing, packed, part, repacked

from extraction.formats.catalog import DOCX


def saved(made: Made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_hostile_packages_fail_with_their_own_code() -> None:
    package = saved(Document())
    xml = part(package, "word/document.xml")
    assert failure(repacked(package, {"word/document.xml": laughing(xml, "<w:body>")}), DOCX).code == "malformed"
    assert failure(packed({"word/document.xml": "<none/>"}), DOCX).code == "malformed"
    assert failure(package[: len(package) // 2], DOCX).code == "malformed"
    bomb = repacked(package, {"word/media/image.xml": b" " * (60 << 20)})
    assert failure(bomb, DOCX).code == "too_large"
    deep = xml.replace("<w:body>", "<w:body>" + "<w:smartTag>" * 5000)
    assert failure(repacked(package, {"word/document.xml": deep}), DOCX).code == "malformed"


def test_old_and_locked_files_are_told_apart() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
    assert failure(ole + "EncryptedPackage".encode("utf-16-le"), DOCX).code == "encrypted"
    old = failure(ole, DOCX)
    assert old.code == "unsupported"
    assert "Save it as DOCX" in old.message
