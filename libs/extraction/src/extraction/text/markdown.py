"""Markdown: the text without its markup, tables as rows of cells, headings, lists and code as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from extraction.model.document import Builder, Extracted, clean
from extraction.text.text_file import text_file

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.M)
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.S)
MAX_NESTING = 40


def parse(text: str) -> Extracted:
    """Front matter is left out of the text; its `title` is the document's."""
    text = clean(text)
    title = None
    front = _FRONT_MATTER.match(text)
    if front:
        named = _TITLE.search(front[1] or "")
        title, text = named[1] if named else None, text[front.end() :]
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(["table", "strikethrough"])
    builder = Builder()
    for node in SyntaxTreeNode(parser.parse(text)).children:
        _block(builder, node)
    return builder.finish(title)


read = text_file(parse)


def _block(builder: Builder, node: SyntaxTreeNode) -> None:
    if node.type == "heading":
        builder.heading(_inline(node), int(node.tag[1:]))
    elif node.type == "table":
        builder.rows(_rows(node), header=True)
    elif node.type in ("bullet_list", "ordered_list"):
        builder.block("list", "\n".join(_list(node, 0)))
    elif node.type in ("fence", "code_block"):
        builder.block("code", node.content)
    elif node.type == "html_block":
        builder.block("paragraph", _without_tags(node.content))
    elif node.type == "blockquote":
        for child in node.children:
            _block(builder, child)
    elif node.type != "hr":
        builder.block("paragraph", _inline(node))


def _rows(table: SyntaxTreeNode) -> Iterator[list[str]]:
    for part in table.children:
        for row in part.children:
            yield [_inline(cell) for cell in row.children]


def _list(node: SyntaxTreeNode, depth: int) -> Iterator[str]:
    number = int(node.attrs.get("start", 1) or 1)
    for item in node.children:
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        lead = "  " * depth + mark
        for child in item.children:
            if child.type in ("bullet_list", "ordered_list"):
                yield from _list(child, depth + 1)
                continue
            for line in _lines(child):
                yield lead + line
                lead = "  " * depth + " " * len(mark)
        number += 1


def _lines(node: SyntaxTreeNode) -> list[str]:
    """The lines of a block inside a list item."""
    if node.type == "table":
        return [" | ".join(row) for row in _rows(node)]
    if node.type in ("fence", "code_block"):
        return node.content.rstrip("\n").split("\n")
    if node.type == "blockquote":
        return [line for child in node.children for line in _lines(child)]
    text = _without_tags(node.content) if node.type == "html_block" else _inline(node)
    return text.split("\n")


def _inline(node: SyntaxTreeNode) -> str:
    """The text of a block's inline content: no marks of emphasis, links by their words, images by their description."""
    return "".join(_words(child.token.children or []) for child in node.children if child.token)


def _words(tokens: list[Token]) -> str:
    pieces: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline"):
            pieces.append(token.content)
        elif token.type == "softbreak":
            pieces.append(" ")
        elif token.type == "hardbreak":
            pieces.append("\n")
        elif token.type == "image":
            pieces.append(_words(token.children or []))
        elif token.type == "html_inline" and token.content.lower().startswith("<br"):
            pieces.append("\n")
    return "".join(pieces)


def _without_tags(markup: str) -> str:
    from extraction.text import html

    return html.parse(markup).text if "<" in markup else _TAG.sub("", markup)
