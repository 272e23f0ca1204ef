"""How well DOCX, PPTX and XLSX are read: ours against the libraries that are installed.

`python -m benchmarks.ingest.parsers_office FOLDER [READER…]`: FOLDER holds `<name>.<format>` files and, for each, a
file `<name>.<format>.md` anywhere below with the text that is expected. Prints a row for each reader and format: the
share
of the expected words that it finds, in what order, and of the expected table rows, then seconds and memory.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

FORMATS = ("docx", "pptx", "xlsx")
_WORD = re.compile(r"\w+")
_MARKUP = re.compile(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|\\(?=[_*])|&(?:amp|lt|gt);|\*\*|</?[a-z]+>", re.S)


def ours(path: Path) -> str:
    from extraction.formats.catalog import media_type_of
    from extraction.formats.reader import extract
    from extraction.model.limits import Limits

    return extract(path, media_type_of(path.name) or "", Limits(5000, 50_000_000)).text


def markitdown(path: Path) -> str:
    from markitdown import MarkItDown

    return str(MarkItDown().convert(path).text_content)


def docx2python(path: Path) -> str:
    from docx2python import docx2python as read

    with read(path) as document:
        return str(document.text)


def python_docx(path: Path) -> str:
    from docx import Document
    from docx.table import Table

    lines: list[str] = []
    for block in Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            lines += [" | ".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            lines.append(block.text)
    return "\n".join(lines)


def python_pptx(path: Path) -> str:
    from pptx import Presentation

    lines: list[str] = []
    for slide in Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                lines.append(shape.text_frame.text)
            elif shape.has_table:
                lines += [" | ".join(cell.text for cell in row.cells) for row in shape.table.rows]
        if slide.has_notes_slide:
            lines.append(slide.notes_slide.notes_text_frame.text)
    return "\n".join(lines)


def openpyxl(path: Path) -> str:
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    rows = (row for sheet in book.worksheets for row in sheet.iter_rows(values_only=True))
    return "\n".join(" | ".join("" if cell is None else str(cell) for cell in row) for row in rows)


def python_calamine(path: Path) -> str:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(path))
    rows = (row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python())
    return "\n".join(" | ".join(str(cell) for cell in row) for row in rows)


READERS: dict[str, tuple[Callable[[Path], str], tuple[str, ...]]] = {
    "ingest": (ours, FORMATS),
    "markitdown": (markitdown, FORMATS),
    "docx2python": (docx2python, ("docx",)),
    "docx": (python_docx, ("docx",)),
    "pptx": (python_pptx, ("pptx",)),
    "openpyxl": (openpyxl, ("xlsx",)),
    "python_calamine": (python_calamine, ("xlsx",)),
}


def words(text: str) -> list[str]:
    return _WORD.findall(_MARKUP.sub(" ", text).lower())


def table_rows(text: str) -> set[tuple[str, ...]]:
    """The rows that are no rule and hold at least two words."""
    lines = (line for line in text.splitlines() if " | " in line)
    return {row for line in lines if len(row := tuple(words(line))) > 1}


def pairs(folder: Path, ending: str) -> Iterator[tuple[Path, str]]:
    expected = {path.name: path for path in folder.rglob(f"*.{ending}.md")}
    for path in sorted(folder.rglob(f"*.{ending}")):
        if path.is_file() and f"{path.name}.md" in expected:
            yield path, expected[f"{path.name}.md"].read_text()


def measure(name: str, folder: Path, ending: str) -> dict[str, object]:
    """One reader over all files of one format; each figure is the mean over files."""
    read = READERS[name][0]
    recall, order, rows, failed, seconds = [], [], [], 0, 0.0
    for path, expected in pairs(folder, ending):
        begun = time.perf_counter()
        try:
            text = read(path)
        except Exception:  # noqa: BLE001  # a reader that breaks counts as one that finds nothing
            text, failed = "", failed + 1
        seconds += time.perf_counter() - begun
        wanted, found = words(expected), words(text)
        if not wanted:
            continue
        recall.append((Counter(wanted) & Counter(found)).total() / len(wanted))
        blocks = SequenceMatcher(None, wanted[:3000], found[:4000], autojunk=False).get_matching_blocks()
        order.append(sum(block.size for block in blocks) / len(wanted[:3000]))
        if wanted_rows := table_rows(expected):
            rows.append(len(wanted_rows & table_rows(text)) / len(wanted_rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shares = {"words": recall, "in order": order, "table rows": rows}
    means = {key: round(sum(values) / len(values), 3) if values else None for key, values in shares.items()}
    return {"format": ending, **means, "failed": failed, "seconds": round(seconds, 2), "MB": round(peak)}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1], Path(arguments[2]), arguments[3])))
        return 0
    folder, chosen = arguments[0], arguments[1:] or [name for name in READERS if find_spec(name)]
    print(f"{'reader':16} {'format':6} {'words':>6} {'order':>6} {'rows':>6} {'failed':>6} {'s':>6} {'MB':>5}")
    for name in chosen:
        for ending in READERS[name][1]:
            command = [sys.executable, __file__, "--one", name, folder, ending]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            shown = [f"{found[key]!s:>6}" for key in ("words", "in order", "table rows", "failed", "seconds")]
            print(f"{name:16} {ending:6} {' '.join(shown)} {found['MB']:>5}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
