"""Inference beside the bare library and beside other servers.

Usage: make bench-inference [MINUTES=30] [TEXTS=1500] [ROUNDS=3]

Embeddings in bulk over HTTP, beside a bare `SentenceTransformer.encode` in the same precision with its best batch size
and beside the `infinity-emb` server with the same model and clients (from PyPI, in an environment of its own); a query
while bulk fills the service; memory over MINUTES of load. Then what is added to an upstream's stream
(`inference_proxy`), and conversations with the packaged chat model (`conversations`), also benchmarks of their own.
"""

from __future__ import annotations

import os

from benchmarks.home import write_result
from benchmarks.inference import conversations, inference_embeddings, inference_proxy


def main() -> None:
    """Measure, print, keep."""
    figures = inference_embeddings.run(
        texts=int(os.environ.get("TEXTS", "1500")),
        rounds=int(os.environ.get("ROUNDS", "3")),
        minutes=float(os.environ.get("MINUTES", "2")),
    )
    for name, value in figures.items():
        print(f"{name:<60} {value}")
    proxy = inference_proxy.run()
    conversations.main()
    write_result("inference", {"embeddings": figures, "proxy": proxy})


if __name__ == "__main__":
    main()
