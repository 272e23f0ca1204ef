"""`make bench-retrieval` on a tiny set, with the real chunking, embedding model, engine and ranking."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from benchmarks.retriever import embeddings
from benchmarks.retriever.embeddings import Engines, open_engines
from benchmarks.retriever.retrieval import SetResult, measure_set, print_tables
from benchmarks.retriever.retrieval_index import open_retriever
from benchmarks.retriever.retrieval_sets import find_sets

from contracts.retrieval.collections import Chunking

DOCUMENTS = {
    "tides/1#a": ("Tides", "The tide turns at noon. Fishing boats leave the harbour on the ebb."),
    "moon": ("", "The moon is full on Friday and rises before dusk."),
    "bread": ("Bread", "Knead the dough, let it rise for an hour, then bake it until the crust is brown."),
    "long": ("Steel", "Blast furnaces make pig iron from ore, coke and limestone. " * 60),
}
QUESTIONS = {"q1": ("When do boats leave?", "tides/1#a"), "q2": ("how to bake", "bread"), "q3": ("iron ore", "long")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sets" / "tiny" / "en"
    made.mkdir(parents=True)
    corpus = [{"_id": id_, "title": title, "text": text} for id_, (title, text) in DOCUMENTS.items()]
    queries = [{"_id": id_, "text": text} for id_, (text, _) in QUESTIONS.items()]
    for name, lines in (("corpus.jsonl", corpus), ("queries.jsonl", queries)):
        (made / name).write_text("\n".join(map(json.dumps, lines)))
    grades = "".join(f"{id_}\t{document}\t1\n" for id_, (_, document) in QUESTIONS.items())
    (made / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + grades)
    return tmp_path / "sets"


@pytest.fixture
async def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engines]:
    monkeypatch.setattr(embeddings, "FOLDER", tmp_path / "cache")
    async with open_engines() as opened:
        yield opened


async def measured(engines: Engines, folder: Path) -> SetResult:
    [one] = find_sets(folder, ["tiny"])
    async with open_retriever(engines) as retriever:
        return await measure_set(retriever, one, 0, Chunking())


async def test_every_mode_is_measured_and_embeddings_are_kept_for_the_next_run(
    engines: Engines, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await measured(engines, folder)
    assert first.name == "tiny/en"
    assert (first.documents, first.queries) == (4, 3)
    assert first.chunks > 4
    assert {"dense", "sparse", "plain RRF", "hybrid"} <= set(first.values)
    assert first.means("hybrid") == {"nDCG@10": 1.0, "recall@10": 1.0, "recall@100": 1.0, "MRR": 1.0}
    print_tables([first])
    assert "tiny/en" in capsys.readouterr().out

    async def no_more(*_: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(engines.embedder.engine, "embed", no_more)
    again = await measured(engines, folder)
    assert again.as_json()["means"] == first.as_json()["means"]
