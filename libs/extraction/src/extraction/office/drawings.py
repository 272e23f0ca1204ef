"""What DrawingML holds in any Office format: paragraphs of text, charts as tables of their values, diagrams."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from lxml import etree

from extraction.model.document import Builder
from extraction.office.equations import M
from extraction.office.ooxml import RELATIONSHIP, Package

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def lines(body: etree._Element) -> Iterator[tuple[int, str]]:
    """Indentation and text of each paragraph that says something."""
    for paragraph in body.iter(f"{A}p"):
        text = "".join(_runs(paragraph)).replace("\v", "\n")
        if text.strip():
            properties = paragraph.find(f"{A}pPr")
            yield int(properties.get("lvl", "0")) if properties is not None else 0, text


def graphics(builder: Builder, package: Package, part: str, element: etree._Element, page: int | None = None) -> None:
    """The charts and diagrams that stand within an element, each as a block."""
    links = [
        *((chart.get(f"{RELATIONSHIP}id"), _chart) for chart in element.iter(f"{C}chart")),
        *((ids.get(f"{RELATIONSHIP}dm"), _diagram) for ids in element.iter(f"{DIAGRAM}relIds")),
    ]
    if not links:
        return
    known = package.relationships(part)
    for link, write in links:
        if link in known and package.has(known[link].target):
            write(builder, package.root(known[link].target), page)


def _runs(paragraph: etree._Element) -> Iterator[str]:
    for element in paragraph.iter(f"{A}t", f"{A}br", f"{M}t"):
        yield "\n" if element.tag == f"{A}br" else element.text or ""


def _chart(builder: Builder, root: etree._Element, page: int | None) -> None:
    """The chart's title, then categories by series."""
    for title in root.iterfind(f"{C}chart/{C}title"):
        builder.block("paragraph", "\n".join(text for _, text in lines(title)), page)
    series = list(root.iter(f"{C}ser"))
    if not series:
        return
    names = [next(iter(_points(one.find(f"{C}tx"))), "") for one in series]
    categories = next((found for one in series if (found := _axis(one, "cat", "xVal"))), [])
    columns = [categories, *(_axis(one, "val", "yVal") for one in series)]
    builder.rows([["", *names], *(list(row) for row in zip_longest(*columns, fillvalue=""))], page, header=True)


def _axis(series: etree._Element, *names: str) -> list[str]:
    return next((_points(found) for name in names if (found := series.find(f"{C}{name}")) is not None), [])


def _points(element: etree._Element | None) -> list[str]:
    if element is None:
        return []
    return [(value.text or "").strip() for value in element.iter(f"{C}v")]


def _diagram(builder: Builder, root: etree._Element, page: int | None) -> None:
    builder.block("list", "\n".join(f"- {text}" for _, text in lines(root)), page)
