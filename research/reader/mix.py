"""What one epoch is trained on: the sets, with negatives made and mined for each question; always the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.text.sentences import split
from research.calibration.support import stated
from research.reader.examples import (
    CONTRADICTED,
    NEITHER,
    SUPPORTED,
    UNSUPPORTED,
    Example,
    Reading,
    under,
    window,
    without,
)
from research.reader.negatives import NUMBER, altered, names, other_question
from research.reader.tables import tables

KEPT = {"snli_dev_test": 0.5, "snli_train_bits": 0.7, "mc_nyu_crowd": 0.5, "conjnli": 0.6, "fairytaleqa": 0.3,
        "qamr": 0.4, "squadshifts_new_wiki": 0.6, "squad_emptycity": 0.6}  # fmt: skip
"""The share of a set that an epoch takes, where that is not all."""
CONSTRUCTED = 0.25
"""The share of the sets' own negatives by word overlap: half of them are easy, and ours are not."""
ENTAILED = 0.2
"""The share of the sets' sentences, of what `KEPT` leaves: more of them teach little more."""
TIMES = {"policies": 2, "said": 2, "near_misses": 2, "squad2cr_near": 3, "squad2_train_part": 2}
"""How often an epoch takes what was written by hand in a set, where that is not once."""
OWN = "policies"
"""The source of our own texts."""
RELEVANT = 9000
TABLES = 1500
SHORT_ANSWER = 8
"""Words of the longest answer that is put into a sentence."""


@dataclass(frozen=True)
class Mix:
    """All sets, and for each text the texts that a search for its questions finds."""

    readings: Sequence[Reading]
    entailments: Sequence[tuple[str, Example]]
    relevances: Sequence[tuple[str, Example]]
    mined: Mapping[str, Sequence[tuple[str, str]]]
    """Headings and texts by question: like it, without its answer."""
    of_sets: float = 1.0
    """The share of what is not our own texts that an epoch takes: less, to train further on these."""

    def epoch(self, number: int) -> list[Example]:
        """Shuffled."""
        chance = random.Random(f"epoch {number}")
        made = [*self._read(chance), *self._entailed(chance), *self._relevant(chance)]
        made += tables(round(TABLES * self.of_sets), chance)
        chance.shuffle(made)
        return made

    def _read(self, chance: random.Random) -> Iterator[Example]:
        for reading in self.readings:
            share = KEPT.get(reading.source, 1.0) * (1.0 if reading.spans or reading.by_hand else CONSTRUCTED)
            share *= 1.0 if reading.source == OWN else self.of_sets
            if chance.random() >= share:
                continue
            for _ in range(TIMES.get(reading.source, 1) if reading.by_hand and _is_rare(reading) else 1):
                yield from self._of_one(reading, chance)

    def _of_one(self, reading: Reading, chance: random.Random) -> Iterator[Example]:
        if not reading.spans:
            passage, _ = window(reading.text, None, chance)
            passage, _ = under(reading.heading, passage, None, chance)
            yield Example(reading.question, passage, answers=False)
            return
        span = chance.choice(reading.spans)
        plain, start = window(reading.text, span, chance)
        inside = (span[0] - start, span[1] - start)
        passage, moved = under(reading.heading, plain, inside, chance)
        yield Example(reading.question, passage, answers=True, span=moved, fits=True)
        yield from self._misses(reading, plain, chance)
        yield from _claims(reading, reading.text[slice(*span)], plain, passage, chance)

    def _misses(self, reading: Reading, plain: str, chance: random.Random) -> Iterator[Example]:
        """A passage that does not answer, or a question that the passage does not answer."""
        way = chance.random()
        if way < 0.35:
            cut = without(plain, reading.answers)
            if cut and not any(answer.lower() in cut.lower() for answer in reading.answers):
                yield Example(reading.question, under(reading.heading, cut, None, chance)[0], answers=False)
                return
        elif way < 0.6:
            question = other_question(reading.question, names(reading.text), chance)
            if question is not None:
                yield Example(question, under(reading.heading, plain, None, chance)[0], answers=False)
                return
        found = self.mined.get(reading.question)
        if found:
            heading, text = chance.choice(found)
            passage, _ = under(heading, window(text, None, chance)[0], None, chance)
            yield Example(reading.question, passage, answers=False)

    def _entailed(self, chance: random.Random) -> Iterator[Example]:
        for source, example in self.entailments:
            times = TIMES.get(source, 1)
            for _ in range(times):
                share = KEPT.get(source, 1.0) * (1.0 if source in TIMES else ENTAILED)
                if chance.random() < share * (1.0 if source == OWN else self.of_sets):
                    yield example

    def _relevant(self, chance: random.Random) -> Iterator[Example]:
        by_kind = Counter((source, example.fits) for source, example in self.relevances)
        share = {kind: min(1.0, RELEVANT / len(by_kind) / count) for kind, count in by_kind.items()}
        for source, example in self.relevances:
            if chance.random() < share[source, example.fits] * self.of_sets:
                yield example


def _is_rare(reading: Reading) -> bool:
    """Questions on what is not there that a person wrote, and our own, are few."""
    return not reading.spans or reading.source in ("policies", "near_misses")


def _claims(reading: Reading, answer: str, plain: str, passage: str, chance: random.Random) -> Iterator[Example]:
    """The answer as a sentence, right or changed; a sentence of the passage as it is, changed, or taken out of it."""
    way = chance.random()
    if way < 0.5 and len(answer.split()) <= SHORT_ANSWER:
        if way < 0.22:
            yield Example(_said(reading.question, answer, chance), passage, support=SUPPORTED)
        else:
            wrong = _other_answer(answer, plain, chance)
            if wrong is not None:
                yield Example(_said(reading.question, wrong, chance), passage, support=UNSUPPORTED)
    elif way < 0.8:
        sentences = [plain[unit.start : unit.end].strip() for unit in split(plain)]
        fitting = [one for one in sentences if 40 <= len(one) <= 260]
        if not fitting:
            return
        sentence = chance.choice(fitting)
        if way < 0.56:
            yield Example(sentence, passage, support=SUPPORTED)
        elif way < 0.7:
            changed = altered(sentence, names(reading.text), chance)
            if changed is not None:
                yield Example(changed, passage, support=CONTRADICTED)
        elif len(sentences) > 1:
            yield Example(sentence, passage.replace(sentence, "").strip(), support=NEITHER)


def _said(question: str, answer: str, chance: random.Random) -> str:
    return stated(question, answer) if chance.random() < 0.7 else f"{question} {answer}"


def _other_answer(answer: str, passage: str, chance: random.Random) -> str | None:
    """Another number or name of the passage, as the answer is one or the other."""
    numeric = NUMBER.search(answer) is not None
    found = [one.group() for one in NUMBER.finditer(passage)] if numeric else names(passage)
    fitting = [one for one in found if one.lower() not in answer.lower() and answer.lower() not in one.lower()]
    if numeric and fitting:
        return NUMBER.sub(chance.choice(fitting), answer, count=1)
    if fitting and answer[:1].isupper():
        return chance.choice(fitting)
    return altered(answer, names(passage), chance)
