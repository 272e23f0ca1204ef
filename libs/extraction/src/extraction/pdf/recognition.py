"""Text recognition of scanned pages with RapidOCR, whose wheel carries its models. Comes with the extra `ocr`."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pypdfium2 import PdfPage

from extraction.pdf.lines import Line

DOTS_PER_INCH = 200
MOST_PIXELS = 4_000_000
"""Of a rendered page; A4 at 200 dots per inch has 3.9 million."""
LONGEST_SIDE = 1280
"""Pixels to which the engine reduces a page when it looks for lines: its memory grows with their square."""
_ONE_ARENA = (-8, 1)
"""glibc's M_ARENA_MAX: each further arena takes 64 MB of the address space that the child is held to."""


def installed() -> bool:
    """Whether scanned pages can be read."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


class Recognition:
    """The engine, on one thread: loading takes two seconds, a page one to six. Nothing is downloaded."""

    def __init__(self) -> None:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:
            mallopt(*_ONE_ARENA)
        import_module("cv2").setNumThreads(1)
        engine = import_module("rapidocr")
        threads = {f"EngineConfig.onnxruntime.{which}_op_num_threads": 1 for which in ("intra", "inter")}
        batches = {"Rec.rec_batch_num": 1, "Cls.cls_batch_num": 1}
        limits = {"Global.max_side_len": LONGEST_SIDE, "Global.log_level": "critical"}
        self._engine = engine.RapidOCR(
            params={**threads, **batches, **limits, **_models(Path(str(engine.__file__)).parent)}
        )

    def lines(self, page: PdfPage) -> list[Line]:
        """The lines of a page from top to bottom, in points; raises `MemoryError` where there is too little."""
        width, height = page.get_size()
        scale = min(DOTS_PER_INCH / 72, (MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
        bitmap = page.render(scale=scale)
        try:
            found = self._engine(bitmap.to_numpy())
        except RuntimeError as error:
            if "bad_alloc" in str(error):
                raise MemoryError from None
            raise
        finally:
            bitmap.close()
        if not found.txts:
            return []
        return placed(found.boxes.tolist(), found.txts, scale, height)


def placed(boxes: Sequence[Sequence[Sequence[float]]], texts: Sequence[str], scale: float, height: float) -> list[Line]:
    """Recognised pieces as lines: corners in pixels from the top become points from the bottom, rows come in order."""
    pieces = [
        piece for corners, text in zip(boxes, texts, strict=True) if (piece := _piece(corners, text, scale, height))
    ]
    return list(_by_rows(sorted(pieces, key=lambda line: -(line.top + line.bottom))))


def _piece(corners: Sequence[Sequence[float]], text: str, scale: float, height: float) -> Line | None:
    across, down = [corner[0] / scale for corner in corners], [corner[1] / scale for corner in corners]
    text = " ".join(text.split())
    span = min(across), max(across)
    return Line((text,), *span, height - max(down), height - min(down), (span,)) if text else None


def _by_rows(pieces: Sequence[Line]) -> Iterator[Line]:
    """Pieces that stand at one height from left to right."""
    row: list[Line] = []
    for piece in pieces:
        if row and (piece.top + piece.bottom) / 2 < row[0].bottom + 0.3 * row[0].height:
            yield from sorted(row, key=lambda line: line.left)
            row = []
        row.append(piece)
    yield from sorted(row, key=lambda line: line.left)


def _models(package: Path) -> dict[str, Any]:
    """The models beside the code, by path: the engine would fetch what it looks for by name and doesn't find."""
    return {
        f"{task}.model_path": str(next((package / "models").glob(f"*_{task.lower()}_*.onnx")))
        for task in ("Det", "Cls", "Rec")
    }
