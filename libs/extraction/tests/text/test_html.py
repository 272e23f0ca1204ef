from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.cases import outline, read

from extraction.formats.catalog import HTML
from extraction.formats.reader import extract
from extraction.model.limits import Limits


def test_html_shows_what_a_reader_sees() -> None:
    page = """<!doctype html><title>FAQ &amp; more</title><nav>Home</nav><script>alert(1)</script>
    <h1>FAQ</h1><p>First<br>second <b>bold</b>
    line</p><div hidden>not this</div><h2>Table</h2><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>
    <table><tr><th>Name</th><th>Price</th></tr><tr><td>Plover</td><td>EUR <i>249</i></td></tr></table>
    <pre>code
  indented</pre>tail"""
    document = read(page, HTML)
    assert document.title == "FAQ & more"
    assert outline(document) == [
        ("heading", "FAQ"),
        ("paragraph", "First\nsecond bold line"),
        ("heading", "Table"),
        ("list", "- one\n  - inner\n- two"),
        ("table", "Name | Price\n-|-\nPlover | EUR 249"),
        ("code", "code\n  indented"),
        ("paragraph", "tail"),
    ]
    assert document.blocks[-1].heading_path == ("FAQ", "Table")


@pytest.mark.parametrize("depth", [100, 249, 250, 251, 300, 20_000])
@pytest.mark.parametrize("element", ["div", "span", "blockquote", "ul><li"])
def test_html_is_read_however_deep_it_is_nested(tmp_path: Path, depth: int, element: str) -> None:
    source, end = tmp_path / "deep.html", "".join(f"</{name}>" for name in reversed(element.split("><")))
    inner = "<p>Deep text.</p><script>never()</script><p>More of <b>it</b>.</p>"
    body = f"<p>Top.</p>{f'<{element}>' * depth}{inner}{end * depth}<p>Bottom.</p>"
    source.write_text(f"<html><body>{body}</body></html>")
    text = extract(source, HTML, Limits(10, 100_000)).text
    words = " ".join(text.replace("- ", "").split())
    assert words == "Top. Deep text. More of it. Bottom."


def test_only_cells_that_are_marked_as_names_are_a_header() -> None:
    row = "<tr><td>Kells</td><td>early</td></tr>"
    for head in ("<tr><th>Town</th><th>Opens</th></tr>", "<thead><tr><td>Town</td><td>Opens</td></tr></thead>"):
        assert read(f"<table>{head}{row}</table>", HTML).text == "Town | Opens\n-|-\nKells | early"
    assert read(f"<table><tr><th>Town</th><td>Opens</td></tr>{row}</table>", HTML).text == "Town | Opens\nKells | early"
