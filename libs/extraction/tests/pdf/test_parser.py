from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libs.extraction.tests.pdf_pages import LIMITS, STYLES, draw, drawn, file_of, page_of, read, typeset
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph

from extraction.formats.catalog import PDF
from extraction.formats.reader import extract
from extraction.model.document import PART_JOINT, Extracted, Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.pdf.parser import PART_PAGES
from extraction.pdf.parser import read as parts
from extraction.sandbox.extractor import SandboxedExtractor

SPECIES = st.sampled_from(["prose", "heading", "small heading", "blank", "scan", "parted"])


def _from(path: Path, done: list[Extracted]) -> list[Extracted]:
    """The parts after those that are done, from what a worker keeps of them: plain JSON."""
    kept = json.loads(json.dumps(dict(done[-1].state)))
    pages = done[-1].last_page or 0
    chars = sum(len(part.text) for part in done) + len(PART_JOINT) * (len(done) - 1)
    return list(parts(path, LIMITS, Resume(len(done), pages, chars, kept)))


@settings(max_examples=12, deadline=None)
@given(st.lists(SPECIES, min_size=1, max_size=12), st.integers(0, 2 * PART_PAGES + 20))
def test_a_part_after_a_resume_equals_that_of_an_undisturbed_run(species: list[str], length: int) -> None:
    kinds = (species * (length // len(species) + 1))[: length + 1]
    with TemporaryDirectory() as folder:
        path = Path(folder, "document.pdf")
        path.write_bytes(drawn(*(lambda canvas, k=k, n=n: draw(canvas, k, n) for n, k in enumerate(kinds, 1))))
        undisturbed = list(parts(path, LIMITS, Resume()))
        assert [part.last_page for part in undisturbed][-1] == len(kinds)
        for count in range(1, len(undisturbed)):
            assert _from(path, undisturbed[:count]) == undisturbed[count:]


def test_a_pdf_that_only_forbids_printing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "document.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("", "owner", canPrint=0))
    canvas.drawString(60, 700, "Open to all readers.")
    canvas.save()
    assert extract(path, PDF, LIMITS).text == "Open to all readers."


WORDS = b"BT /F 12 Tf 50 700 Td (sound words) Tj ET\n"


CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"


HARMLESS = {
    "huge page": page_of(WORDS, b"[-1e9 -1e9 1e9 1e9]"),
    "deep states": page_of(b"q " * 200_000 + WORDS),
    "deep arrays": page_of(WORDS, more=b"/X " + b"[" * 50_000 + b"]" * 50_000),
    "huge places": page_of(b"BT /F 12 Tf 1e30 1e38 Td (far) Tj ET BT /F 1e38 Tf 9 9 Td (high) Tj ET " + WORDS),
    "false count": page_of(WORDS).replace(b"/Count 1>>", b"/Count 1999999999>>"),
}


FAILING = {
    "truncated": (page_of(WORDS)[:200], {"malformed"}),
    "another format": (b"<html>no</html>", {"malformed"}),
    "zeros": (b"%PDF-1.4\n" + bytes(100_000), {"malformed"}),
    "pages in a circle": (
        file_of(CATALOG, b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 100000>>"),
        {"too_many_pages", "malformed"},
    ),
    "no words": (page_of(b"0 0 m 9 9 l S"), {"no_text"}),
}


@pytest.mark.parametrize("name", HARMLESS)
async def test_strange_files_are_read_within_the_limits(tmp_path: Path, name: str) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(HARMLESS[name])
    with closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process:
        assert "sound words" in (await process.extract(path, PDF)).text


@pytest.mark.parametrize("name", FAILING)
async def test_broken_files_end_with_a_code(tmp_path: Path, name: str) -> None:
    content, codes = FAILING[name]
    path = tmp_path / "document.pdf"
    path.write_bytes(content)
    with (
        closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process,
        pytest.raises(ParseFailed) as failure,
    ):
        await process.extract(path, PDF)
    assert failure.value.code in codes


_PEAK = """
import resource, sys
from pathlib import Path
from extraction.model.document import Resume
from extraction.model.limits import Limits
from extraction.pdf.parser import read as parts
count = sum(1 for _ in parts(Path(sys.argv[1]), Limits(5000, 10**8), Resume()))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    peaks = []
    for pages in (PART_PAGES, 8 * PART_PAGES):
        path = tmp_path / f"{pages}.pdf"
        path.write_bytes(drawn(*[lambda canvas: draw(canvas, "heading", 1)] * pages))
        done = run([sys.executable, "-c", _PEAK, path], capture_output=True, text=True, check=True)
        count, peak = map(int, done.stdout.split())
        assert count == pages // PART_PAGES
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 20_000, peaks


def test_an_unreadable_document_is_not_half_ready(tmp_path: Path) -> None:
    broken = page_of(WORDS).replace(b"/Type/Page/", b"/Type/Nope/").replace(b"/Contents 4 0 R", b"")
    with pytest.raises(ParseFailed):
        read(broken, tmp_path)


def test_a_pdf_with_a_password_and_one_with_too_many_pages_say_so(tmp_path: Path) -> None:
    locked = typeset(Paragraph("secret", STYLES["Normal"]), encrypt=StandardEncryption("user", "owner"))
    with pytest.raises(ParseFailed, match="password"):
        read(locked, tmp_path)
    long = typeset(*(part for number in range(21) for part in (Paragraph(str(number), STYLES["Normal"]), PageBreak())))
    (tmp_path / "long.pdf").write_bytes(long)
    with pytest.raises(ParseFailed, match="Split it"):
        extract(tmp_path / "long.pdf", PDF, Limits(max_pages=20, max_text_chars=100_000))
