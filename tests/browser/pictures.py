"""A page as a picture for docs/console.md: `make pictures` has them taken into `docs/pictures`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from PIL import Image
from tests.browser.conftest import PICTURES

FOLDER = Path(os.environ.get("PICTURES", PICTURES / "documentation"))
MOST_BYTES = 120_000
COLOURS = 96


def take(page: Any, name: str) -> None:
    """Keep what the page shows in the light scheme, small enough for a repository."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate("document.activeElement.blur()")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))) as taken:
        taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)
    assert (FOLDER / f"{name}.png").stat().st_size <= MOST_BYTES
