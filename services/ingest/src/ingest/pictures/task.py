"""The task of drawing one page, carried out in a child process: `picture.png` and `picture.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from extraction.model.document import Extracted
from extraction.pictures.drawing import draw_page

PICTURE, FACTS = "picture.png", "picture.json"


def run(source: Path, folder: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """Draw page `page` of the PDF at `source`, marked with `spans` of the part of its text in `text` and `structure`.

    There is no picture where the document has fewer pages. Raises `ParseFailed`.
    """
    text, blocks = "", []
    if options["spans"]:
        text = Path(options["text"]).read_bytes().decode()
        structure = json.loads(Path(options["structure"]).read_bytes())["structure"]
        found = Extracted.from_json(text, structure).blocks
        blocks = [(block.start, block.end) for block in found if block.page == options["page"]]
    drawn = draw_page(source, options["page"], text, blocks, options["spans"])
    if drawn.png is not None:
        (folder / PICTURE).write_bytes(drawn.png)
    (folder / FACTS).write_text(json.dumps({"pages": drawn.pages, "boxes": drawn.boxes}))
    yield "drawn"
