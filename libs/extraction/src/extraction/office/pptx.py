"""PPTX: a page for each slide, its title as a heading, text and tables as they stand, charts, and the notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from extraction.model.document import Builder, Extracted, is_header
from extraction.model.failures import too_many_pages
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.office.drawings import ALTERNATIVES, A, graphics, lines
from extraction.office.ooxml import RELATIONSHIP, Package, package

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
KIND = "PPTX presentation"
_FURNITURE = ("dt", "ftr", "sldNum", "hdr")
_TITLES = ("title", "ctrTitle")
_TRUE = ("1", "true")
MAX_GROUPS = 20


def parse(path: Path, limits: Limits) -> Extracted:
    """The slides in their order; hidden ones too, since they are part of what was handed over."""
    with package(path, KIND) as presentation:
        main = presentation.main()
        links = presentation.relationships(main)
        listed = presentation.root(main).iterfind(f"{P}sldIdLst/{P}sldId")
        names = [links[name].target for slide in listed if (name := slide.get(f"{RELATIONSHIP}id", "")) in links]
        names = [name for name in names if presentation.has(name)]
        if len(names) > limits.max_pages:
            raise too_many_pages(len(names), limits.max_pages)
        builder = Builder()
        for page, name in enumerate(names, 1):
            _slide(builder, presentation, name, page)
        return builder.finish(presentation.title(), len(names))


read = whole_file(parse)


def _slide(builder: Builder, presentation: Package, name: str, page: int) -> None:
    builder.headings.clear()  # a slide without a title stands under no other slide's
    tree = presentation.root(name).find(f"{P}cSld/{P}spTree")
    if tree is None:
        return
    shapes = list(_shapes(tree, 0))
    title = next((shape for shape in shapes if _placeholder(shape) in _TITLES), None)
    if title is not None:
        builder.heading(" ".join(text for _, text in lines(title)), 1, page)
    for shape in shapes:
        if shape is not title:
            _shape(builder, presentation, name, shape, page)
    notes = presentation.related(name, "notesSlide")
    if notes is not None:
        for shape in presentation.root(notes).iter(f"{P}sp"):
            if _placeholder(shape) == "body":
                builder.block("paragraph", "\n".join(text for _, text in lines(shape)), page)


def _shapes(tree: etree._Element, depth: int) -> Iterator[etree._Element]:
    """The shapes in the order of the file, which is the order in which screen readers read them."""
    for child in tree:
        if child.tag == f"{P}grpSp" and depth < MAX_GROUPS:
            yield from _shapes(child, depth + 1)
        elif child.tag == f"{ALTERNATIVES}AlternateContent":
            yield from _shapes(child[0], depth + 1) if len(child) and depth < MAX_GROUPS else ()
        elif child.tag in (f"{P}sp", f"{P}graphicFrame", f"{P}cxnSp"):
            yield child


def _shape(builder: Builder, presentation: Package, part: str, shape: etree._Element, page: int) -> None:
    if _placeholder(shape) in _FURNITURE:
        return
    if shape.tag == f"{P}graphicFrame":
        for table in shape.iter(f"{A}tbl"):
            rows = list(_rows(table))
            look = table.find(f"{A}tblPr")
            named = look is not None and look.get("firstRow") in _TRUE
            builder.rows(rows, page, header=named and bool(rows) and is_header(rows[0]))
        graphics(builder, presentation, part, shape, page)
        return
    body = shape.find(f"{P}txBody")
    found = list(lines(body)) if body is not None else []
    if _placeholder(shape) == "subTitle" or len(found) < 2:
        builder.block("paragraph", "\n".join(text for _, text in found), page)
    elif _placeholder(shape) is not None:
        builder.block("list", "\n".join("  " * depth + f"- {text}" for depth, text in found), page)
    else:
        builder.block("paragraph", "\n".join(text for _, text in found), page)


def _rows(table: etree._Element) -> Iterator[list[str]]:
    """A cell over several columns stands once, one over several rows in each of them."""
    above: dict[int, str] = {}
    for row in table.iter(f"{A}tr"):
        cells: list[str] = []
        for column, cell in enumerate(row.iterfind(f"{A}tc")):
            if cell.get("vMerge") not in _TRUE:
                above[column] = " ".join(text for _, text in lines(cell))
            if cell.get("hMerge") not in _TRUE:
                cells.append(above.get(column, ""))
        yield cells


def _placeholder(shape: etree._Element) -> str | None:
    """What the shape holds the place of: its type, `obj` for the slide's content, nothing for a free shape."""
    found = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return found.get("type", "obj") if found is not None else None
