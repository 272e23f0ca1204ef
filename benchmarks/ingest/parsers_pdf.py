"""How well and how fast PDFs are read: ours against the libraries that are installed.

`python -m benchmarks.ingest.parsers_pdf FOLDER [READER…]`: FOLDER holds PDFs and, for some, `<name>.md` anywhere below
with the text that is expected. Prints for each reader the share of the expected words that it finds, those of them in
order,
and the table rows on a line of their own; first on pages drawn here from known text, then on FOLDER; then the processor
time for all of FOLDER, and the peak memory. At last our time over that of PDFium's bare text, file by file in one
process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

from benchmarks.ingest.parsers_office import words
from benchmarks.ingest.pdf_drawings import DRAWINGS

ROUNDS = 5


def ours(path: Path) -> str:
    from extraction.model.document import Resume
    from extraction.model.limits import Limits
    from extraction.pdf import parser as pdf

    return "\n\n".join(part.text for part in pdf.read(path, Limits(5000, 50_000_000), Resume()))


def bare(path: Path) -> str:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        texts = []
        for number in range(len(document)):
            page = document[number]
            text_page = page.get_textpage()
            texts.append(text_page.get_text_range())
            text_page.close()
            page.close()
        return "\n".join(texts)


def pdfminer(path: Path) -> str:
    from pdfminer.high_level import extract_text

    return str(extract_text(str(path)))


def pdfplumber(path: Path) -> str:
    import pdfplumber as library

    with library.open(path) as document:
        return "\n".join(page.extract_text() or "" for page in document.pages)


def pypdf(path: Path) -> str:
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


READERS: dict[str, Callable[[Path], str]] = {
    "ingest": ours,
    "pypdfium2": bare,
    "pdfminer": pdfminer,
    "pdfplumber": pdfplumber,
    "pypdf": pypdf,
}


def score(expected: str, found: str) -> tuple[float, float, float | None]:
    wanted, got = words(expected)[:3000], words(found)[:4000]
    recall = (Counter(wanted) & Counter(words(found))).total() / len(wanted)
    blocks = SequenceMatcher(None, wanted, got, autojunk=False).get_matching_blocks()
    rows = {row for line in expected.splitlines() if " | " in line and len(row := tuple(words(line))) > 1}
    lines = {tuple(words(line)) for line in found.splitlines()}
    kept = len(rows & lines) / len(rows) if rows else None
    return recall, sum(block.size for block in blocks) / len(wanted), kept


def quality(name: str, pairs: Iterator[tuple[Path, str]]) -> list[str]:
    scores = []
    for path, expected in pairs:
        try:
            found = READERS[name](path)
        except Exception:  # noqa: BLE001  # a reader that breaks counts as one that finds nothing
            found = ""
        if words(expected):
            scores.append(score(expected, found))
    columns = [[value for value in column if value is not None] for column in zip(*scores, strict=True)]
    return [f"{sum(column) / len(column):.3f}" if column else "-" for column in columns]


def drawn(folder: Path) -> Iterator[tuple[Path, str]]:
    for kind, draw in DRAWINGS.items():
        path = folder / f"{kind}.pdf"
        yield path, draw(path)


def beside(folder: Path) -> Iterator[tuple[Path, str]]:
    texts = {path.stem.removesuffix(".pdf"): path for path in folder.rglob("*.md")}
    for path in sorted(folder.rglob("*.pdf")):
        if path.stem in texts:
            yield path, texts[path.stem].read_text()


def measure(name: str, folder: Path) -> dict[str, object]:
    """One reader over everything, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        known = quality(name, drawn(Path(scratch)))
    given = quality(name, beside(folder))
    begun = time.process_time()
    failed = 0
    for path in sorted(folder.rglob("*.pdf")):
        try:
            READERS[name](path)
        except Exception:  # noqa: BLE001  # scans, passwords and damage: the readers differ in what they call them
            failed += 1
    milliseconds = (time.process_time() - begun) * 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"known": known, "given": given, "failed": failed, "ms": round(milliseconds), "MB": round(peak)}


def ratio(folder: Path) -> tuple[float, float]:
    """Processor seconds of PDFium's bare text and of ours, each the best of some rounds for each file."""
    totals = [0.0, 0.0]
    for path in sorted(folder.rglob("*.pdf")):
        best = [float("inf")] * 2
        try:
            for _ in range(ROUNDS):
                for which, read in enumerate((bare, ours)):
                    begun = time.process_time()
                    read(path)
                    best[which] = min(best[which], time.process_time() - begun)
        except Exception:  # noqa: BLE001  # what can't be read has no speed
            continue
        totals = [total + seconds for total, seconds in zip(totals, best, strict=True)]
    return totals[0], totals[1]


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1], Path(arguments[2]))))
        return 0
    folder, chosen = arguments[0], arguments[1:] or [name for name in READERS if find_spec(name)]
    print(
        f"{'reader':12} {'drawn: words, order, rows':26} {'given: words, order, rows':26} "
        f"{'failed':>6} {'ms':>7} {'MB':>5}"
    )
    for name in chosen:
        command = [sys.executable, "-m", "benchmarks.ingest.parsers_pdf", "--one", name, folder]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        shown = [f"{' '.join(found[key]):26}" for key in ("known", "given")]
        print(f"{name:12} {' '.join(shown)} {found['failed']:>6} {found['ms']:>7} {found['MB']:>5}")
    library, layer = ratio(Path(folder))
    print(f"bare PDFium {library:.3f} s, ours {layer:.3f} s of processor time: {layer / library:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
