"""`make bench-connected`: what a connected model makes of answers, beside the packaged parts and the plain way.

Questions of public sets (`ANSWER_DATA`, else ../shared/data/qa) with and without an answer, asked of one home in
several ways: with the packaged parts; with a model of a GGUF file, under each value of `abstain`; and by
retrieve-and-prompt with that model. What several ways ask the model in the same words it answers once: the others get
the same words, and count the seconds that they took.

    GGUF=FILE     the model
    EACH=8        questions of each kind and set
    SETS=a,b      of squad2, policyqa, rgb and rgb-without; else squad2, rgb and rgb-without
    HALF=develop  which half of the questions, told apart by a hash of each; `verify` is the other
    WAYS=a,b      of packaged, default, model, reader, never, strict, annotate and plain; else all
    ROOM=2000     characters of passages in a prompt, both ways
    KEPT=FOLDER   where the model's answers are kept from one run to the next; else only for this one
    MINUTES=10    after so many no further question is asked
    SHOW=1        prints every answer
"""

from __future__ import annotations

import hashlib
import os
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

from agent.answering.drafting.prompt import CHARACTERS_A_TOKEN
from benchmarks.agent.answer_scores import Outcome, refuses
from benchmarks.agent.answer_sets import AnswerSet, Case, data_folder, load, normal
from benchmarks.agent.answers import MOST_TOKENS, PLAIN, Asking
from benchmarks.agent.kept_answers import KeptAnswers
from benchmarks.home import Home, fresh_home, write_result

PACKAGED = "smollm2"
LOCAL, CONNECTED = "from-file", "connected"
"""The model as inference runs it, and the same through what keeps its answers."""
ROOM = int(os.environ.get("ROOM", "2000"))
WAITS = ("AGENT_FIRST_TOKEN_SECONDS", "AGENT_DRAFT_SECONDS", "AGENT_DEADLINE_SECONDS")
"""How long a busy machine takes is no matter here."""
SETS = ("squad2", "rgb", "rgb-without")
WAYS: dict[str, dict[str, Any]] = {
    "packaged": {"model": PACKAGED},
    "default": {"model": CONNECTED},
    "model": {"model": CONNECTED, "abstain": "model"},
    "reader": {"model": CONNECTED, "abstain": "reader"},
    "never": {"model": CONNECTED, "abstain": "never"},
    "strict": {"model": CONNECTED, "grounding": "strict"},
    "annotate": {"model": CONNECTED, "grounding": "annotate"},
}
CONTEXT = 8192
_MARKER = re.compile(r"\[\d{1,3}\]")
_CLOSEST = re.compile(r"\n\nClosest to it.*", re.DOTALL)


@dataclass(frozen=True)
class Figures:
    """What one way made of some questions."""

    found: float
    answered: float
    cited: float
    f1: float
    refused: float
    seconds: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Figures:
        """The shares: of questions with an answer those that have it, are answered and cite a document that holds it;
        of those without the refusals; of all the mean F1; and the median of the seconds."""
        with_answer = [one for one in outcomes if one.case.answerable]
        without = [one for one in outcomes if not one.case.answerable]
        return cls(
            _share([one.right for one in with_answer]),
            _share([not one.abstained for one in with_answer]),
            _share([one.cites_document for one in with_answer]),
            sum(map(f1, outcomes)) / len(outcomes),
            _share([one.abstained for one in without]),
            statistics.median(one.seconds for one in outcomes),
        )

    def line(self) -> str:
        """In the order of the heading."""
        shares = (self.found, self.answered, self.cited, self.f1, self.refused)
        return "  ".join(f"{share:5.2f}" for share in shares) + f"  {self.seconds:7.1f}"


def f1(outcome: Outcome) -> float:
    """The F1 of an answer's words beside the best of the expected strings; where there is none, 1 for a refusal."""
    if not outcome.case.answerable or outcome.abstained:
        return float(outcome.case.answerable != outcome.abstained)
    said = Counter(normal(_MARKER.sub(" ", outcome.content)).split())
    return max(_f1(said, Counter(normal(answer).split())) for answer in outcome.case.answers)


def _f1(said: Counter[str], wanted: Counter[str]) -> float:
    shared = sum((said & wanted).values())
    return 2 * shared / (sum(said.values()) + sum(wanted.values())) if shared else 0.0


def _share(which: Sequence[bool]) -> float:
    return sum(which) / len(which) if which else 0.0


class Ways:
    """Asks one question in one of the ways."""

    def __init__(self, home: Home, kept: KeptAnswers) -> None:
        self._kept = kept
        self._client = OpenAI(base_url=f"{home.base_url}/v1", api_key=home.key, timeout=600, max_retries=0)
        self._http = httpx2.Client(base_url=home.base_url, headers={"Authorization": f"Bearer {home.key}"}, timeout=120)

    def ask(self, way: str, collection: str, case: Case) -> Outcome:
        """The outcome, its seconds as if the model had not been asked before."""
        self._kept.saved_seconds = 0.0
        started = time.perf_counter()
        made = self._plain(collection, case) if way == "plain" else self._grounded(way, collection, case)
        return replace(made, seconds=time.perf_counter() - started + self._kept.saved_seconds)

    def _grounded(self, way: str, collection: str, case: Case) -> Outcome:
        answer = self._client.chat.completions.create(
            model=f"rag:{collection}",
            messages=[{"role": "user", "content": case.question}],
            extra_body={"groundwork": WAYS[way]},
            extra_headers={"Cache-Control": "no-store"},
        )
        message: Any = answer.choices[0].message
        kind = (answer.model_extra or {})["groundwork"]["answer_kind"]
        notes = [
            one if isinstance(one, dict) else one.model_dump() for one in getattr(message, "annotations", []) or []
        ]
        return Outcome(case, message.content or "", kind == "abstained", kind, annotations=notes)

    def _plain(self, collection: str, case: Case) -> Outcome:
        reply = self._http.post(f"/v1/collections/{collection}/search", json={"query": case.question, "limit": 8})
        reply.raise_for_status()
        passages = ""
        for hit in reply.json()["hits"]:
            if passages and len(passages) + len(hit["text"]) > ROOM:
                break
            passages += f"{hit['text'][:ROOM]}\n\n"
        answer = self._client.chat.completions.create(
            model=CONNECTED,
            messages=[
                {"role": "system", "content": PLAIN},
                {"role": "user", "content": f"Passages:\n{passages}\nQuestion: {case.question}"},
            ],
            max_tokens=MOST_TOKENS,
            temperature=0,
            extra_headers={"Cache-Control": "no-store"},
        )
        content = answer.choices[0].message.content or ""
        return Outcome(case, content, refuses(content), "plain")


def in_half(case: Case, half: str) -> bool:
    """Whether a question is of a half: its hash says, so that it is so in whatever order they are read."""
    even = hashlib.sha256(case.question.encode()).digest()[0] % 2 == 0
    return even == (half == "develop")


def chosen(one: AnswerSet, half: str, each: int) -> AnswerSet:
    """A set with its first questions of a half, `each` with an answer and as many without."""
    cases = [case for case in one.cases if in_half(case, half)]
    with_answer = [case for case in cases if case.answerable][:each]
    return replace(one, cases=[*with_answer, *[case for case in cases if not case.answerable][:each]])


def by_turns(sets: Sequence[AnswerSet]) -> Iterator[tuple[str, Case]]:
    """One question of each set after another, of each set those with an answer and those without by turns."""
    for row in zip_longest(*(_mixed(one) for one in sets)):
        yield from (pair for pair in row if pair is not None)


def _mixed(one: AnswerSet) -> Iterator[tuple[str, Case]]:
    kinds = ([case for case in one.cases if case.answerable is answerable] for answerable in (True, False))
    for pair in zip_longest(*kinds):
        yield from ((one.name, case) for case in pair if case is not None)


def connect(home: Home, kept: KeptAnswers) -> None:
    """The model of the file, and the same under another name through what keeps its answers."""
    home.groundwork("model", "add", LOCAL, "--gguf", os.environ["GGUF"], "--context", str(CONTEXT))
    kept.ask_of(home.base_url, home.key, LOCAL)
    home.groundwork("model", "add", CONNECTED, "--vllm", LOCAL, "--url", kept.url, "--context", str(CONTEXT))


def main() -> None:
    """Ingest the sets in a fresh home, ask every question in every way, print, keep."""
    half, each = os.environ.get("HALF", "develop"), int(os.environ.get("EACH", "8"))
    names = [name for name in os.environ.get("SETS", "").split(",") if name] or SETS
    ways = [name for name in os.environ.get("WAYS", "").split(",") if name] or [*WAYS, "plain"]
    os.environ["AGENT_CONTEXT_TOKENS"] = str(int(ROOM / CHARACTERS_A_TOKEN))
    os.environ.update(dict.fromkeys(WAITS, "300"))
    folder = data_folder()
    if folder is None:
        raise SystemExit("There are no question sets. Name their folder in ANSWER_DATA.")
    outcomes: dict[str, list[Outcome]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        kept = KeptAnswers(Path(os.environ.get("KEPT") or temporary))
        os.environ["INFERENCE_ADDED_HOSTS"] = kept.address
        home = stack.enter_context(fresh_home())
        connect(home, kept)
        asking, asked = Asking(home), Ways(home, kept)
        sets = [chosen(wanted, half, each) for wanted in load(folder, 4 * each, names)]
        for one in sets:
            asking.ingest(one)
        until = time.monotonic() + 60 * float(os.environ.get("MINUTES", "600"))
        for name, case in by_turns(sets):
            if time.monotonic() > until:
                break
            for way in ways:
                outcomes[way].append(asked.ask(way, name, case))
                if os.environ.get("SHOW"):
                    _show(way, outcomes[way][-1])
    report(half, outcomes)


def report(half: str, outcomes: dict[str, list[Outcome]]) -> None:
    """Print the figures of each way and keep them."""
    some = next(iter(outcomes.values()))
    print(f"\n{len(some)} questions, {sum(one.case.answerable for one in some)} of them with an answer; half: {half}")
    print(f"  {'':<10} found  answered  cited  F1  refused  seconds")
    figures = {way: Figures.of(found) for way, found in outcomes.items()}
    for way, one in figures.items():
        print(f"  {way:<10} {one.line()}")
    write_result(f"connected-{half}", {"questions": len(some), **{way: vars(one) for way, one in figures.items()}})


def _show(way: str, one: Outcome) -> None:
    text = " ".join(_CLOSEST.sub("", one.content).split())[:300]
    print(f"  {'ok  ' if one.right else 'MISS'} {way:<9}[{one.kind}] {one.seconds:5.1f}s {one.case.question}")
    print(f"       {list(one.case.answers[:2])} <- {text}", flush=True)


if __name__ == "__main__":
    main()
