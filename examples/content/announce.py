"""One prompt, many audiences: facts come from documents with citations, the words from a model, and each is checked.

A sentence is used only if it names its fact and has no number that the fact has not. That catches invented numbers, not
every invention: read before you publish.

Usage: python -m examples.content.announce BRIEF.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.connection import citation_lines, packaged_chat_model, run
from groundwork.client import Answer, ApiError, Groundwork

PROMPT = "announcement"
AT_ONCE = 4
_MARK = re.compile(r"\s*\[\d+\]")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Variant:
    """What one audience reads, and what was left out of it and why."""

    audience: str
    headline: str
    sentences: list[str]
    refused: list[str]


def main(client: Groundwork, brief: Mapping[str, Any]) -> list[Variant]:
    """Facts, then a variant for each audience."""
    facts = gather(client, brief["collection"], brief["questions"])
    if not facts:
        raise SystemExit("The documents answer none of the questions: there is nothing to write about.")
    if client.prompts.get(PROMPT).model == "default" and (small := packaged_chat_model(client)):
        print(
            f"\nNo variants: '{small}', the packaged model, is too small to write for an audience without inventing.\n"
            "Connect a larger one (`groundwork model suggest`) and run this again; the facts above stay as they are."
        )
        return []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        variants = list(pool.map(lambda one: write(client, one, facts), brief["audiences"]))
    for variant in variants:
        print(f"\nFor {variant.audience}: {variant.headline}")
        print(*(f"  {sentence}" for sentence in variant.sentences), sep="\n")
        print(*(f"  left out: {why}" for why in variant.refused), sep="\n", end="\n" if variant.refused else "")
    return variants


def gather(client: Groundwork, collection: str, questions: Sequence[str]) -> list[str]:
    """What the documents answer, numbered in this order, printed with its source; questions without answer are told."""
    facts: list[str] = []
    for question in questions:
        answer = client.ask(collection, question)
        if not _is_fact(answer):
            print(f"No fact: the documents do not answer “{question}”")
            continue
        facts.append(_MARK.sub("", answer.text))
        print(f"Fact {len(facts)}: {facts[-1]}")
        print(*(f"    {line}" for line in citation_lines(answer.citations)), sep="\n")
    return facts


def write(client: Groundwork, audience: Mapping[str, str], facts: Sequence[str]) -> Variant:
    """One variant: the sentences that stand the check."""
    numbered = "\n".join(f"{number}. {fact}" for number, fact in enumerate(facts, start=1))
    try:
        written = json.loads(client.prompts.ask(PROMPT, variables={**audience, "facts": numbered}))
    except (ApiError, ValueError) as error:
        return Variant(audience["audience"], "", [], [f"the model gave nothing of the form asked for: {error}"])
    sentences, refused = [], []
    for sentence in written["sentences"]:
        text, number = sentence["text"], sentence["fact"]
        if why := problem(text, number, facts):
            refused.append(f"“{text}”: {why}")
        else:
            sentences.append(f"{text} [{number}]")
    headline = written["headline"] if not problem(written["headline"], None, facts) else ""
    return Variant(audience["audience"], headline, sentences, refused)


def problem(text: str, number: int | None, facts: Sequence[str]) -> str | None:
    """What speaks against a text that is taken from a fact, or from any of them."""
    if number is not None and not 1 <= number <= len(facts):
        return f"there is no fact {number}"
    known = " ".join(facts) if number is None else facts[number - 1]
    invented = set(_NUMBER.findall(text)) - set(_NUMBER.findall(known))
    return f"no fact has {', '.join(sorted(invented))}" if invented else None


def _is_fact(answer: Answer) -> bool:
    return answer.report is not None and not answer.report.abstained and answer.report.grounded


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run(lambda client: main(client, given))
