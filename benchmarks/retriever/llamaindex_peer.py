"""LlamaIndex's in-memory hybrid search, answering over standard input and output. Run by `retrieval_llamaindex.py`.

It runs in an environment of its own with nothing of Groundwork in it, so it is a plain program: one JSON object a line
in, one out. Vectors come from outside, so that both sides search with the same ones.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.retrievers.bm25 import BM25Retriever
from Stemmer import Stemmer


class Pipeline:
    """Nodes cut by its splitter's defaults, a vector index in memory, BM25 with stemming, and their fusion."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._indexes: dict[str, tuple[list[Any], Any]] = {}
        self._fused: dict[tuple[str, str, int], Any] = {}

    def split(self, file: str) -> dict[str, Any]:
        """Cut documents ({id, text} lines); returns what is to be embedded."""
        lines = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
        documents = [Document(text=line["text"], id_=line["id"]) for line in lines]
        self._nodes = SentenceSplitter().get_nodes_from_documents(documents)
        return {"texts": [node.get_content(metadata_mode=MetadataMode.EMBED) for node in self._nodes]}

    def build(self, name: str, documents: list[str], vectors: str) -> dict[str, Any]:
        """Index some of the documents under a name."""
        rows, wanted = np.load(vectors), set(documents)
        for node, row in zip(self._nodes, rows, strict=True):
            node.embedding = row.tolist()
        some = [node for node in self._nodes if node.ref_doc_id in wanted]
        self._indexes[name] = some, VectorStoreIndex(some, embed_model=MockEmbedding(embed_dim=rows.shape[1]))
        return {"nodes": len(some)}

    def search(self, name: str, query: str, vector: list[float], mode: str, depth: int) -> dict[str, Any]:
        """The documents found, each once, and the milliseconds that it took."""
        if (name, mode, depth) not in self._fused:
            self._fused[name, mode, depth] = self._retriever(name, mode, depth)
        retriever = self._fused[name, mode, depth]
        bundle = QueryBundle(query, embedding=vector)
        began = time.perf_counter()
        found = retriever.retrieve(bundle)
        milliseconds = (time.perf_counter() - began) * 1000
        return {"documents": list(dict.fromkeys(each.node.ref_doc_id for each in found)), "ms": milliseconds}

    def _retriever(self, name: str, mode: str, depth: int) -> Any:
        nodes, index = self._indexes[name]
        depth = min(depth, len(nodes))
        words = BM25Retriever.from_defaults(
            nodes=nodes, similarity_top_k=depth, stemmer=Stemmer("english"), language="english"
        )
        meaning = index.as_retriever(similarity_top_k=depth)
        return QueryFusionRetriever(
            [meaning, words],
            llm=MockLLM(),
            mode=mode,
            similarity_top_k=depth,
            num_queries=1,  # the query itself: no language model rewrites it
            use_async=False,
        )


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not come between the answers
    pipeline = Pipeline()
    calls = {"split": pipeline.split, "build": pipeline.build, "search": pipeline.search}
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(calls[asked.pop("do")](**asked)), file=answers, flush=True)


if __name__ == "__main__":
    main()
