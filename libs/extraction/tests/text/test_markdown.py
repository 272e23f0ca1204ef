from __future__ import annotations

from libs.extraction.tests.cases import outline, read

from extraction.formats.catalog import MARKDOWN


def test_markdown_loses_its_marks_but_not_its_structure() -> None:
    source = """---
title: "From the front"
---
# Policy *one*

Return **within 30
days**, see [the list](https://example.org).

1. first
2. second
   - inner

| a | b |
|---|---|
| 1 | 2 |

```sh
make demo
```
> quoted

## Deeper

text
"""
    document = read(source, MARKDOWN)
    assert document.title == "From the front"
    assert outline(document) == [
        ("heading", "Policy one"),
        ("paragraph", "Return within 30 days, see the list."),
        ("list", "1. first\n2. second\n  - inner"),
        ("table", "a | b\n-|-\n1 | 2"),
        ("code", "make demo"),
        ("paragraph", "quoted"),
        ("heading", "Deeper"),
        ("paragraph", "text"),
    ]
    assert document.blocks[-1].heading_path == ("Policy one", "Deeper")
