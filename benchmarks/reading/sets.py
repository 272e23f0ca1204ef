"""What `make bench-reading` asks: questions with and without an answer in their passages, sentences with their source.

All are public sets that nothing of ours may be trained or tuned on.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from research.calibration.data import Case, Embedder, Index, chunks_of, normal, ohr, squad2, xquad
from research.calibration.support import stated

from agent.text.sentences import split
from benchmarks.agent import answer_sets
from contracts.retrieval.search import Hit

SEED = 11
OHR_DOCUMENTS = 12
STANDS_ALONE = 6
"""An answer of more words than this is a sentence by itself."""
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """A question with the chunks that a search found. Both of one `question` are drawn together by the bootstrap."""

    dataset: str
    question: str
    hits: Sequence[Hit]
    answerable: bool


@dataclass(frozen=True)
class Claim:
    """A sentence, its source in chunks, and whether people say that the source supports it."""

    dataset: str
    sentence: str
    source: Sequence[Hit]
    supported: bool


def questions(data: Path, embed: Embedder, each: int) -> Iterator[Asked]:
    """About `each` answerable questions of every set, and as many that are not."""
    yield from _near_misses(data, embed, each)
    yield from _snippets(data, embed, each)
    yield from _without_the_sentence("xquad", islice(xquad(data, embed, each), each))
    yield from _without_the_sentence("ohr", islice(ohr(data, embed, OHR_DOCUMENTS, 10 * each), each))


def claims(data: Path, each: int) -> Iterator[Claim]:
    """About `each` sentences of summaries, by where the articles are from, and as many answers, right and made up."""
    of_summaries = [
        Claim(f"qags {row['set']}", one["sentence"], _source(row["_id"], row["source"]), one["supported"])
        for row in _lines(data / "judging/qags/data.jsonl")
        for one in row["sentences"]
    ]
    for name in ("qags cnndm", "qags xsum"):
        yield from _some([claim for claim in of_summaries if claim.dataset == name], each)
    for row in _some(list(_lines(data / "judging/halueval/qa_pairs.jsonl")), each // 2):
        source = _source(row["_id"], re.sub(r"(?<=[a-z0-9)])\.(?=[A-Z])", ". ", row["knowledge"]))
        for answer, supported in ((row["right_answer"], True), (row["hallucinated_answer"], False)):
            yield Claim("halueval", _sentence(row["question"], answer), source, supported)


def _near_misses(data: Path, embed: Embedder, each: int) -> Iterator[Asked]:
    cases = list(squad2(data, embed))
    found = [case for case in cases if case.answers and _is_held(case, case.hits)]
    for case in _some(found, each) + _some([case for case in cases if not case.answers], each):
        yield Asked("squad2", case.question, case.hits, bool(case.answers))


def _snippets(data: Path, embed: Embedder, each: int) -> Iterator[Asked]:
    for read in (answer_sets.rgb, answer_sets.rgb_without):
        given = read(data / "qa", each)
        index = Index([hit for one in given.documents for hit in chunks_of("rgb", one.id, one.title, one.text)], embed)
        for case in given.cases:
            yield Asked("rgb", case.question, index.search(case.question), case.answerable)


def _without_the_sentence(name: str, cases: Iterator[Case]) -> Iterator[Asked]:
    """Each question with its chunks, and with the same ones without every sentence that holds an answer."""
    for case in cases:
        cut = [_cut(hit, case.answers) for hit in case.hits]
        if _is_held(case, case.hits) and not _is_held(case, cut):
            yield Asked(name, case.question, case.hits, answerable=True)
            yield Asked(name, case.question, [hit for hit in cut if hit.text.strip()], answerable=False)


def _is_held(case: Case, hits: Sequence[Hit]) -> bool:
    return any(case.holds(hit, hit.text) for hit in hits)


def _cut(hit: Hit, answers: Sequence[str]) -> Hit:
    wanted, text = [normal(answer) for answer in answers], hit.text
    for unit in reversed(split(text)):
        said = normal(text[unit.start : unit.end])
        if any(answer in said or (len(said) > 30 and said in answer) for answer in wanted):
            text = text[: unit.start] + text[unit.end :]
    return hit.model_copy(update={"text": text, "end": hit.start + len(text)})


def _source(document: str, text: str) -> list[Hit]:
    return chunks_of("source", str(document), "", text)


def _sentence(question: str, answer: str) -> str:
    return answer if len(answer.split()) > STANDS_ALONE or answer.endswith(".") else stated(question, answer)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text().splitlines())


def _some(rows: Sequence[T], count: int) -> list[T]:
    return random.Random(SEED).sample(rows, min(count, len(rows)))
