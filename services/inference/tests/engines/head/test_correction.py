from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from services.inference.tests.corrections import correction

from contracts.models.reading import PairReading, PassageReading, Span
from inference.catalog.learnt.corrections import Correction
from inference.engines.errors import CorrectionUnusable
from inference.engines.head.correction import Corrected, CorrectedRank, CorrectedReading
from inference.errors import ModelNotFound, ModelNotReady
from inference.protocol.engines import FeatureResult, Pair, Priority, ReadingResult
from servicekit.core.errors import InvalidRequest

TRAINED, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SPAN = Span(start=0, end=4)


def _origin(digest: str | None = None, *, width: int = 2, has_features: bool = True) -> Corrected:
    async def features(question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        readings = tuple(
            PassageReading(answers=1.0 if "sure" in one else 0.5, span=SPAN, relevance=0.3) for one in passages
        )
        rows = [[1.0 if "late" in one else 0.0, *[7.0] * (width - 1)] for one in passages]
        return FeatureResult(ReadingResult(readings, 9, 1), np.array(rows, dtype=np.float32))

    async def read(question: str, passages: Sequence[str], priority: Priority) -> ReadingResult[PassageReading]:
        return (await features(question, passages, priority)).result

    async def entail(pairs: Sequence[Pair], priority: Priority) -> ReadingResult[PairReading]:
        return ReadingResult(tuple(PairReading.of(0.9, 0.0) for _ in pairs), 4)

    async def probe() -> None:
        pass

    reads = frozenset(("answers", "spans", "relevance", "support"))
    return Corrected(
        digest,
        reads,
        features if has_features else None,
        read,
        entail,
        probe,
        lambda: b"tokens",
        lambda: None,  # type: ignore[arg-type]
    )


def _engine(found: Corrected | None, trained_on: str | None = None, **more: float) -> CorrectedReading:
    def find(name: str) -> Corrected:
        if found is None:
            raise ModelNotFound(name, "reading")
        return found

    given = Correction.model_validate(correction(reading_digest=trained_on, **more))
    return CorrectedReading("reader+manuals", given, find)


async def test_the_chance_that_a_passage_answers_is_corrected_and_all_else_is_the_reading_model_s() -> None:
    engine = _engine(_origin(), scale=2.0, offset=-1.0)
    result = await engine.read("When?", ["it is late", "a lamp"])
    chances = [one.answers for one in result.readings]
    assert chances == pytest.approx([0.5, 1 / (1 + np.e)])
    assert [(one.span, one.relevance) for one in result.readings] == [(SPAN, 0.3)] * 2
    assert (result.tokens, result.truncated) == (9, 1)
    entailed = await engine.entail([("it is late", "It is late.")])
    assert (entailed.readings[0].supported, entailed.tokens) == (0.9, 4)
    assert (engine.tokenizer(), "spans" in engine.reads()) == (b"tokens", True)


async def test_what_the_reading_model_is_sure_of_can_be_corrected_too() -> None:
    chance = (await _engine(_origin(), offset=-20.0).read("When?", ["sure"])).readings[0].answers
    assert chance is not None
    assert 0 < chance < 0.01


async def test_a_reading_model_with_the_digest_of_the_training_serves_and_another_is_refused() -> None:
    assert (await _engine(_origin(TRAINED), TRAINED).read("x", ["y"])).tokens == 9
    replaced = _engine(_origin(OTHER), TRAINED)
    for asked in (replaced.read("x", ["y"]), replaced.entail([("x", "y")]), replaced.probe()):
        with pytest.raises(CorrectionUnusable, match=f"{TRAINED}.*{OTHER}.*Learn it again"):
            await asked
    with pytest.raises(ModelNotReady, match="not known yet"):
        await _engine(_origin(None), TRAINED).read("x", ["y"])


async def test_a_ranking_is_by_the_corrected_chances_and_takes_no_fields_that_it_does_not_know() -> None:
    given = Correction.model_validate(correction(scale=2.0, offset=-1.0))
    engine = CorrectedRank("reader+manuals", given, lambda _: _origin())
    ranked = await engine.rank("When?", ["a lamp", "it is late"])
    assert ranked.scores == pytest.approx([1 / (1 + np.e), 0.5])
    assert (ranked.tokens, ranked.truncated, engine.tokenizer()) == (9, 1, b"tokens")
    with pytest.raises(InvalidRequest):
        await engine.rank("When?", ["a lamp"], {"temperature": 1})


class Encoder:
    """A `FeatureEngine` that finds every passage likely and late."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def close(self) -> None:
        self.log.append("close")

    async def probe(self) -> None:
        self.log.append("probe")

    def tokenizer(self) -> bytes | None:
        return b"its own"

    def tokens(self) -> None:
        return None

    def has_features(self) -> bool:
        return True

    async def read_features(self, question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        self.log.append(f"{priority}: {question}")
        readings = tuple(PassageReading(answers=0.5) for _ in passages)
        return FeatureResult(ReadingResult(readings, 5), np.array([[1.0, 7.0]] * len(passages), dtype=np.float32))


async def test_an_encoder_of_its_own_gives_the_chances_and_the_reading_model_all_else() -> None:
    given, encoder = Correction.model_validate(correction(scale=2.0, offset=-1.0)), Encoder()
    engine = CorrectedReading("reader+manuals", given, lambda _: _origin(), encoder)
    result = await engine.read("When?", ["sure", "a lamp"], "bulk")
    assert [one.answers for one in result.readings] == pytest.approx([0.5, 0.5])
    assert [(one.span, one.relevance) for one in result.readings] == [(SPAN, 0.3)] * 2
    assert (result.tokens, engine.tokenizer()) == (9 + 5, b"tokens")
    ranking = CorrectedRank("reader+manuals", given, lambda _: _origin(), encoder)
    assert (await ranking.rank("Who?", ["sure"])).tokens == 5, "the reading model itself reads nothing"
    await engine.probe()
    await engine.close()
    assert encoder.log == ["bulk: When?", "query: Who?", "probe", "close"]


async def test_an_encoder_of_its_own_is_not_asked_where_the_reading_model_is_another_one_now() -> None:
    given, encoder = Correction.model_validate(correction(reading_digest=TRAINED)), Encoder()
    engine = CorrectedReading("reader+manuals", given, lambda _: _origin(OTHER), encoder)
    for asked in (engine.read("x", ["y"]), engine.probe()):
        with pytest.raises(CorrectionUnusable, match="Learn it again"):
            await asked
    assert encoder.log == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "'reader' is not there any more"),
        (_origin(width=3), "learnt on 2 features, and its reading model has 3"),
        (_origin(has_features=False), "does not give the features"),
    ],
)
async def test_without_the_features_that_it_was_learnt_on_it_says_so(found: Corrected | None, says: str) -> None:
    with pytest.raises(CorrectionUnusable, match=says):
        await _engine(found).read("x", ["y"])
