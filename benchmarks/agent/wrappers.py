"""`make bench-wrappers`: does an instruction beside the question cost the answer?

Each question of three public sets (`ANSWER_DATA`, else ../shared/data/qa) is asked bare and in every wrapper of
`wrapper_forms.json`. The verdict (answered or abstained) and the citations must be the bare question's.

    EACH=10       questions a set
    HALF=verify   the other half of the wrappers and questions; `all` takes both. Rules are made with `develop` alone
    MODEL=name    another model than the default
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from benchmarks.agent.answer_scores import share
from benchmarks.agent.answer_sets import AnswerSet, chroma, data_folder, policyqa, squad2
from benchmarks.agent.answers import Asking
from benchmarks.agent.wrapper_forms import WRAPPERS, Wrapper
from benchmarks.home import fresh_home, write_result

EACH = int(os.environ.get("EACH", "10"))
HALF = os.environ.get("HALF", "develop")
MODEL = os.environ.get("MODEL", "default")
AT_ONCE = 2
Verdict = tuple[bool, frozenset[tuple[str, int, int]]]


@dataclass(frozen=True, slots=True)
class Compared:
    """A wrapped question beside the bare one."""

    wrapper: Wrapper
    question: str
    same_verdict: bool
    same_citations: bool

    @property
    def same(self) -> bool:
        """Whether verdict and citations are the bare question's."""
        return self.same_verdict and self.same_citations


def questions_of(found: AnswerSet) -> list[str]:
    """The set's questions in this half, `EACH` of them at most; those with an answer first."""
    ordered = sorted(found.cases, key=lambda case: not case.answerable)
    half = [case.question for case in ordered if HALF in ("all", _half(case.question))]
    return list(dict.fromkeys(half))[:EACH]


def _half(question: str) -> str:
    return "verify" if sha256(question.encode()).digest()[0] % 2 else "develop"


def verdict_of(asking: Asking, collection: str, message: str) -> Verdict:
    """Whether there was an answer, and the spans that it cites."""
    answer = asking.complete(collection, message, {"model": MODEL})
    report: Any = (answer.model_extra or {})["groundwork"]
    notes = getattr(answer.choices[0].message, "annotations", None) or []
    cited = [one if isinstance(one, dict) else one.model_dump() for one in notes]
    return report["abstained"], frozenset((one["document_id"], one["start"], one["end"]) for one in cited)


def compare(asking: Asking, collection: str, question: str, wrappers: Sequence[Wrapper]) -> Iterator[Compared]:
    """The question in each wrapper beside itself."""
    bare = verdict_of(asking, collection, question)
    for wrapper in wrappers:
        abstained, cited = verdict_of(asking, collection, wrapper.around(question))
        yield Compared(wrapper, question, abstained == bare[0], cited == bare[1])


def main() -> None:
    folder = data_folder()
    if folder is None:
        raise SystemExit("There are no question sets: name their folder in ANSWER_DATA.")
    wrappers = [one for one in WRAPPERS if HALF in ("all", one.half)]
    found: list[Compared] = []
    with fresh_home() as home:
        asking = Asking(home)
        for read in (squad2, policyqa, chroma):
            wanted = read(folder, 4 * EACH)
            asking.ingest(wanted)
            questions = questions_of(wanted)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                asked = pool.map(lambda one, name=wanted.name: list(compare(asking, name, one, wrappers)), questions)
                found += [one for many in asked for one in many]
            print(wanted.name, len(questions), "questions", flush=True)
    result = {
        "half": HALF,
        "wrappers": len(wrappers),
        "questions": len({one.question for one in found}),
        "same verdict and citations": share(sum(one.same for one in found), len(found)),
        "same verdict": share(sum(one.same_verdict for one in found), len(found)),
    }
    for half in ("develop", "verify"):
        those = [one.same for one in found if one.wrapper.half == half]
        result[f"the same, wrappers of {half}"] = share(sum(those), len(those))
    for name, figure in result.items():
        print(f"{name:<32} {figure}")
    seen = [one.wrapper.name for one in found if not one.same and one.wrapper.half == "develop"]
    for name, count in Counter(seen).most_common():
        print(f"  differs {count:>3} times: {name}")
    write_result(f"wrappers_{HALF}", result)


if __name__ == "__main__":
    main()
