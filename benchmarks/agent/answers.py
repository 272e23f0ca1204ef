"""`make bench-answers`: are the answers right, cited and honest, and how much better than the plain way?

First the sample handbook's questions, then public question sets (`ANSWER_DATA`, else ../shared/data/qa) through the
official OpenAI client: `rag:` beside retrieve-and-prompt with the same model and the same hits, in the same run.

    EACH=10       questions of each kind and set; with the packaged model 10 take some six minutes
    SETS=a,b      only these: handbook, squad2, policyqa, chroma, rgb, rgb-without, rgb-conflicts; asked where named:
                  xquad-de (also zh, ar, es, en), xquad-en-de (English questions about German paragraphs),
                  of one half of the paragraphs, with HELD_OUT=1 of the other
    MODEL=name    another model than the default (INFERENCE_MODELS_FILE names the file that declares it)
    ROOM=2000     characters of passages in a prompt, both ways
    GROUNDING     strict, annotate or off instead of the model's default
    ABSTAIN=0.3   another threshold of abstention
    TOP_K=8       chunks that an answer looks at (with a judge as reading model 12, and AGENT_READER_PASSAGES=12)
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI
from openai.types.chat import ChatCompletion

from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN
from benchmarks.agent import answers_handbook
from benchmarks.agent.answer_languages import NAME, xquad
from benchmarks.agent.answer_scores import Outcome, refuses, share, supported, times_as_often
from benchmarks.agent.answer_sets import AnswerSet, Case, data_folder, load
from benchmarks.home import Home, fresh_home, write_result

MODEL = os.environ.get("MODEL", "default")
MOST_TOKENS = 96
ROOM = int(os.environ.get("ROOM", "2000"))
"""Characters of passages in a prompt, both ways: 2,000 are what the packaged model gets from the agent as it is."""
PLAIN = (
    "Answer the question from the passages in one to three short sentences. If they do not hold the answer, say that "
    "you do not know."
)


class Asking:
    """Asks one home, both ways."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._client = OpenAI(base_url=f"{home.base_url}/v1", api_key=home.key, timeout=300, max_retries=2)
        self._http = httpx2.Client(base_url=home.base_url, headers={"Authorization": f"Bearer {home.key}"}, timeout=120)

    def ingest(self, wanted: AnswerSet) -> None:
        """Put a set's documents in and wait until all can be found."""
        self._post("/v1/collections", {"name": wanted.name})
        path = f"/v1/collections/{wanted.name}/documents"
        bodies = [{"text": one.text, "title": one.title, "document_id": one.id} for one in wanted.documents]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda body: self._post(path, body), bodies))
        while self._open_jobs(wanted.name):
            time.sleep(0.5)

    def grounded(self, name: str, case: Case) -> Outcome:
        """Ask `rag:`, and check every quote against the document's text."""
        options: dict[str, Any] = {"top_k": answers_handbook.TOP_K, "model": MODEL}
        if os.environ.get("GROUNDING"):
            options["grounding"] = os.environ["GROUNDING"]
        started = time.perf_counter()
        answer = self.complete(name, case.question, options)
        seconds = time.perf_counter() - started
        message: Any = answer.choices[0].message
        report: Any = (answer.model_extra or {})["groundwork"]
        notes = [
            one if isinstance(one, dict) else one.model_dump() for one in getattr(message, "annotations", []) or []
        ]
        wrong = sum(not answers_handbook.quote_matches(self._home, note) for note in notes)
        kind = report["answer_kind"]
        return Outcome(case, message.content or "", kind == "abstained", kind, seconds, notes, wrong)

    def complete(self, name: str, message: str, options: dict[str, Any]) -> ChatCompletion:
        """What `rag:` says to one message."""
        return self._client.chat.completions.create(
            model=f"rag:{name}",
            messages=[{"role": "user", "content": message}],
            extra_body={"groundwork": options},
        )

    def plain(self, name: str, case: Case) -> Outcome:
        """Search, put the passages into a prompt, take what the model says."""
        query = {"query": case.question[:2000], "limit": answers_handbook.TOP_K}
        hits = self._post(f"/v1/collections/{name}/search", query)["hits"]
        passages = ""
        for hit in hits:
            if passages and len(passages) + len(hit["text"]) > ROOM:
                break
            passages += f"{hit['text'][:ROOM]}\n\n"
        asked = f"Passages:\n{passages}\nQuestion: {case.question}"
        started = time.perf_counter()
        answer = self._client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": PLAIN}, {"role": "user", "content": asked}],
            max_tokens=MOST_TOKENS,
            temperature=0,
        )
        content = answer.choices[0].message.content or ""
        return Outcome(case, content, refuses(content), "plain", time.perf_counter() - started)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        reply = self._http.post(path, json=body)
        reply.raise_for_status()
        return reply.json()

    def _open_jobs(self, name: str) -> int:
        asked = ({"collection": name, "status": status} for status in ("queued", "running"))
        return sum(len(self._http.get("/v1/jobs", params=one).json()["data"]) for one in asked)


def figures(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> dict[str, str]:
    """The figures of some questions, by name."""
    answerable = [one for one in ours if one.case.answerable]
    others = [one for one in ours if not one.case.answerable]
    plain = [one for one in theirs if one.case.answerable]
    plain_others = [one for one in theirs if not one.case.answerable]
    given = [one for one in answerable if not one.abstained]
    verdicts = [verdict for one in ours for verdict in supported(one)]
    conflicts = [one for one in ours if one.case.wrong]
    return {
        "answer string present": share(_count(one.right for one in answerable), len(answerable)),
        "the same, plain": share(_count(one.right for one in plain), len(plain)),
        "abstained where there is none": share(_count(one.abstained for one in others), len(others)),
        "the same, plain ": share(_count(one.abstained for one in plain_others), len(plain_others)),
        "abstained where there is one": share(len(answerable) - len(given), len(answerable)),
        "right in all: times the plain way": times_as_often([o.right for o in ours], [o.right for o in theirs]),
        "answers right: times the plain way": times_as_often([o.right for o in answerable], [o.right for o in plain]),
        "citation precision": share(_count(verdicts), len(verdicts)),
        "citation recall": share(_count(one.cites_gold for one in given), len(given)),
        "right document cited": share(_count(one.cites_document for one in answerable), len(answerable)),
        "sentences beside the point": share(
            sum(one.beside_the_point for one in given), sum(len(one.annotations) for one in given)
        ),
        "conflicting sources both shown": share(_count(one.shows_both for one in conflicts), len(conflicts)),
        "quotes that differ from their span": f"{sum(one.mismatches for one in ours)} of {len(verdicts)}",
        "generated, extractive, abstained": ", ".join(
            str(sum(one.kind == kind for one in ours)) for kind in ("generated", "extractive", "abstained")
        ),
        "seconds, median": f"{_median(ours)} (plain {_median(theirs)})",
    }


def _count(verdicts: Iterable[bool]) -> int:
    return sum(verdicts)


def _median(outcomes: Sequence[Outcome]) -> float:
    return round(statistics.median(one.seconds for one in outcomes), 2) if outcomes else 0.0


def report(name: str, ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> dict[str, str]:
    """Print the figures of a set; those that say something."""
    found = {key: value for key, value in figures(ours, theirs).items() if value != "-"}
    print(f"\n{name}: {len(ours)} questions")
    for key, value in found.items():
        print(f"  {key:<36} {value}")
    return found


def main() -> None:
    """Ingest each set in a fresh home, ask everything both ways, print, keep."""
    named = [name for name in os.environ.get("SETS", "").split(",") if name]
    if os.environ.get("ABSTAIN"):
        os.environ["AGENT_ABSTAIN_THRESHOLD"] = os.environ["ABSTAIN"]
    if MODEL != "default":
        os.environ["AGENT_CONTEXT_TOKENS"] = str(int(ROOM / CHARACTERS_A_TOKEN))
    folder = data_folder()
    result: dict[str, Any] = {"model": MODEL}
    ours: list[Outcome] = []
    theirs: list[Outcome] = []
    with fresh_home() as home:
        if not named or "handbook" in named:
            result["handbook"] = answers_handbook.measure(home)
        asking = Asking(home)
        for one in _sets(folder, int(os.environ.get("EACH", "10")), named) if folder else ():
            asking.ingest(one)
            grounded = [asking.grounded(one.name, case) for case in one.cases]
            plain = [asking.plain(one.name, case) for case in one.cases] if one.plain else []
            result[one.name] = report(one.name, grounded, plain)
            if one.plain:
                ours, theirs = ours + grounded, theirs + plain
            if os.environ.get("SHOW"):
                _show(grounded, plain)
    if ours:
        result["all"] = report("all sets", ours, theirs)
    write_result("answers", result)


def _sets(folder: Path, each: int, named: Sequence[str]) -> Iterator[AnswerSet]:
    yield from load(folder, each, named)
    yield from (xquad(folder, name, each) for name in named if NAME.fullmatch(name))


def _show(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> None:
    for one, other in zip_longest(ours, theirs):
        print(f"  {'ok  ' if one.right else 'MISS'} [{one.kind}] {one.case.question} {list(one.case.answers[:2])}")
        print(f"        {' '.join(one.content.split())[:400]}")
        for note, holds in zip(one.annotations, supported(one), strict=True):
            if not holds:
                print(f"        UNSUPPORTED by {note['quote']!r}")
        if other is not None:
            print(f"        plain {'ok' if other.right else 'MISS'}: {' '.join(other.content.split())[:300]}")


if __name__ == "__main__":
    main()
