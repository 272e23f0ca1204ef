"""HTML: what a reader sees, in order; scripts, styles and navigation left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from extraction.model.document import BlockKind, Builder, Extracted
from extraction.model.failures import too_large
from extraction.text.text_file import text_file

SKIPPED = frozenset(
    [
        "script",
        "style",
        "nav",
        "noscript",
        "template",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
        "button",
        "select",
        "input",
        "textarea",
        "dialog",
        "head",
        "title",
    ]
)
BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "html",
        "legend",
        "main",
        "p",
        "section",
        "summary",
        "hr",
        "caption",
    ]
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
LINES = BLOCKS | HEADINGS.keys() | {"br", "li", "ol", "pre", "table", "tr", "ul"}
"""What begins a line of its own where only lines are read."""
MAX_DEPTH = 250
"""Elements within each other that are told apart; what is deeper is read as lines of text."""


@dataclass
class _Writer:
    """Gathers inline text until a block ends."""

    builder: Builder = field(default_factory=Builder)
    inline: list[str] = field(default_factory=list)

    def flush(self, kind: BlockKind = "paragraph") -> None:
        """End the block."""
        text = _collapsed("".join(self.inline))
        self.inline.clear()
        self.builder.block(kind, text)


def parse(text: str) -> Extracted:
    """The visible text; the `<title>` is the document's, unless there is none or it is empty."""
    try:
        tree = LexborHTMLParser(text)
    except SelectolaxError:  # it takes any text: all that can fail is getting memory
        raise too_large() from None
    title = tree.css_first("head > title")
    writer = _Writer()
    if tree.body is not None:
        _walk(writer, tree.body, 0)
    writer.flush()
    return writer.builder.finish(title.text() if title is not None else None)


read = text_file(parse, html=True)


def _walk(writer: _Writer, node: LexborNode, depth: int) -> None:
    for child in node.iter(include_text=True, skip_empty=False):
        tag = (child.tag or "").lower()
        if tag == "-text":
            writer.inline.append(_flat(child.text_content or ""))
        elif tag in SKIPPED or _hidden(child):
            continue
        elif depth > MAX_DEPTH:
            writer.inline.extend(_below(child))
        elif tag in HEADINGS:
            writer.flush()
            writer.builder.heading(_inline(child), HEADINGS[tag])
        elif tag in ("ul", "ol", "table", "pre"):
            writer.flush()
            _structure(writer, child, tag, depth)
        elif tag == "br":
            writer.inline.append("\n")
        elif tag in BLOCKS:
            writer.flush()
            _walk(writer, child, depth + 1)
            writer.flush()
        else:
            _walk(writer, child, depth + 1)


def _structure(writer: _Writer, node: LexborNode, tag: str, depth: int) -> None:
    if tag == "table":
        _table(writer, node, depth)
    elif tag == "pre":
        writer.builder.block("code", node.text())
    else:
        writer.builder.block("list", "\n".join(_list(node, 0)))


def _table(writer: _Writer, table: LexborNode, depth: int) -> None:
    """A table of data as rows; one that only lays out the page (a single cell, or tables within) as its content."""
    rows = [_cells(row) for row in table.css("tr")]
    if table.css_first("table table") is not None or all(len(row) < 2 for row in rows):
        for cell in table.css("td, th, caption") if table.css_first("table table") is None else [table]:
            _walk(writer, cell, depth + 1)
            writer.flush()
        return
    caption = table.css_first("caption")
    if caption is not None:
        writer.builder.block("paragraph", _inline(caption))
    rows = [row for row in rows if row]
    header = all(cell.tag == "th" for cell in rows[0]) or table.css_first("thead tr") is not None
    writer.builder.rows(([_inline(cell) for cell in row] for row in rows), header=header)


def _cells(row: LexborNode) -> list[LexborNode]:
    return [cell for cell in row.iter() if cell.tag in ("td", "th")]


def _list(node: LexborNode, depth: int) -> Iterator[str]:
    for number, item in enumerate((child for child in node.iter() if child.tag == "li"), 1):
        mark = f"{number}. " if node.tag == "ol" else "- "
        own: list[str] = []
        nested: list[LexborNode] = []
        _gather(item, own, nested, depth)
        for index, line in enumerate(_collapsed("".join(own)).split("\n")):
            if line:
                yield "  " * depth + (mark if index == 0 else " " * len(mark)) + line
        for inner in nested:
            yield from _list(inner, depth + 1) if depth < MAX_DEPTH else _lines_below(inner)


def _gather(node: LexborNode, own: list[str], nested: list[LexborNode], depth: int) -> None:
    for child in node.iter(include_text=True, skip_empty=False):
        tag = (child.tag or "").lower()
        if tag == "-text":
            own.append(_flat(child.text_content or ""))
        elif tag in ("ul", "ol"):
            nested.append(child)
        elif tag == "br" or tag == "tr":
            own.append("\n")
            _gather(child, own, nested, depth + 1)
        elif tag in SKIPPED:
            continue
        elif depth >= MAX_DEPTH:
            own.extend(_below(child))
        else:
            own.append("\n" if tag in BLOCKS else " " if tag in ("td", "th") else "")
            _gather(child, own, nested, depth + 1)
            own.append("\n" if tag in BLOCKS else "")


def _lines_below(node: LexborNode) -> list[str]:
    return _collapsed("".join(_below(node))).split("\n")


def _below(node: LexborNode) -> Iterator[str]:
    """The text of an element, blocks parted by line breaks, however deep it goes: by no recursion."""
    open_elements: list[tuple[Iterator[LexborNode], str]] = [(iter((node,)), "")]
    while open_elements:
        children, after = open_elements[-1]
        child = next(children, None)
        if child is None:
            open_elements.pop()
            yield after
            continue
        tag = (child.tag or "").lower()
        if tag == "-text":
            yield _flat(child.text_content or "")
        elif tag not in SKIPPED and not _hidden(child):
            parting = "\n" if tag in LINES else " " if tag in ("td", "th") else ""
            yield parting
            open_elements.append((child.iter(include_text=True, skip_empty=False), parting))


def _inline(node: LexborNode) -> str:
    own: list[str] = []
    nested: list[LexborNode] = []
    _gather(node, own, nested, 0)
    return " ".join([_collapsed("".join(own)), *(line for inner in nested for line in _list(inner, 0))])


def _hidden(node: LexborNode) -> bool:
    return "hidden" in node.attributes or node.attributes.get("aria-hidden") == "true"


def _flat(text: str) -> str:
    return " ".join(text.replace("\n", " ").split(" ")) if "\n" in text else text


def _collapsed(text: str) -> str:
    return "\n".join(line for part in text.split("\n") if (line := " ".join(part.split())))
