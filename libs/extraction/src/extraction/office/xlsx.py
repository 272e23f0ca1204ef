"""XLSX: a heading for each sheet, then its rows as they are shown; blank rows part tables from one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from extraction.model.document import Builder, Extracted
from extraction.model.failures import too_large
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.office.cells import KIND, Cells, S, rows
from extraction.office.drawings import graphics, lines
from extraction.office.ooxml import RELATIONSHIP, Package, package

MAX_CELLS = 5_000_000
"""Of one workbook, empty ones not counted."""
MAX_TITLE_ROWS = 3
"""Lines of one cell that may stand right above a table without being part of it."""
_VISIBLE = ("visible", None)


def parse(path: Path, limits: Limits) -> Extracted:
    """The visible sheets in their order, each with its charts and text boxes behind its rows."""
    with package(path, KIND) as workbook:
        main = workbook.main()
        root = workbook.root(main)
        links = workbook.relationships(main)
        writer = _Writer(workbook, Cells.of(workbook, main, root), limits.max_text_chars)
        for sheet in root.iterfind(f"{S}sheets/{S}sheet"):
            link = links.get(sheet.get(f"{RELATIONSHIP}id", ""))
            if sheet.get("state") in _VISIBLE and link is not None and workbook.has(link.target):
                writer.builder.heading(sheet.get("name", ""), 1)
                writer.sheet(link.target)
        return replace(writer.builder.finish(), title=workbook.title())


read = whole_file(parse)


@dataclass
class _Writer:
    workbook: Package
    cells: Cells
    room: int
    """Characters that may still be written."""
    cells_left: int = MAX_CELLS
    builder: Builder = field(default_factory=Builder)

    def sheet(self, name: str) -> None:
        """A worksheet's or a chart sheet's content."""
        run: list[dict[int, str]] = []
        last = 0
        with self.workbook.open(name) as stream:
            for number, row in rows(stream, self.cells):
                if run and number > last + 1:
                    self.table(run)
                    run = []
                last = number
                self.take(row)
                run.append(row)
        self.table(run)
        drawing = self.workbook.related(name, "drawing")
        if drawing is not None:
            root = self.workbook.root(drawing)
            self.builder.block("paragraph", "\n".join(text for _, text in lines(root)))
            graphics(self.builder, self.workbook, drawing, root)

    def take(self, row: dict[int, str]) -> None:
        """Count what a row costs; raises `too_large`."""
        self.cells_left -= len(row)
        self.room -= sum(len(text) + 3 for text in row.values())
        if self.cells_left < 0 or self.room < 0:
            raise too_large()

    def table(self, run: list[dict[int, str]]) -> None:
        """Rows without a blank one between them. Lines of one cell each are a title or remarks, no table."""
        start = 0
        while start < len(run) and len(run[start]) == 1:
            start += 1
        if start == len(run) or start <= MAX_TITLE_ROWS:
            self.builder.block("paragraph", "\n".join(text for row in run[:start] for text in row.values()))
            run = run[start:]
        self.builder.rows(_aligned(run))


def _aligned(run: list[dict[int, str]]) -> Iterator[list[str]]:
    """Each row's cells below those of the others; columns that no row uses are left out, and empty cells at the end of
    a row that the first one, which may name the columns, does not have either."""
    used = sorted(set().union(*run)) if run else []
    width = sum(column <= max(run[0]) for column in used) if run else 0
    for row in run:
        cells = [row.get(column, "") for column in used]
        while len(cells) > width and not cells[-1]:
            cells.pop()
        yield cells
