from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from services.lab.tests.generation.asking import Library
from services.lab.tests.tuning.methods.test_classification import Said
from services.lab.tests.tuning.methods.test_reading import (
    COUNT,
    CREATE,
    DIGEST,
    NO_BASES,
    Inference,
    _question,
    _texts,
    _work,
)

from contracts.improvement.tuning import FineTuningCreate
from contracts.retrieval.search import Hit, SearchOptions
from lab.tuning.errors import FormUnfit, HyperparametersUnfit, TooFewExamples
from lab.tuning.method import Trained, Work
from lab.tuning.methods.process import Limits
from lab.tuning.methods.rerank import AUTO_L2, RANKS, Rerank
from lab.tuning.sources.passages import BESIDE, NAME


class Misled(Library):
    """Finds what answers third."""

    async def search(self, token: str, collection: str, options: SearchOptions, request_id: str) -> Sequence[Hit]:
        hits = await super().search(token, collection, options, request_id)
        order = [*hits[1:3], hits[0], *hits[3:]]
        return [hit.model_copy(update={"score": 1.0 - at / 100}) for at, hit in enumerate(order)]


def _method(inference: Inference | None = None) -> Rerank:
    return Rerank(inference or Inference(), Misled(texts=_texts()), Limits(1, 1, 300.0), NO_BASES)  # type: ignore[arg-type]


async def _train(work: Work, inference: Inference | None = None) -> Trained:
    return await _method(inference).train(work)


async def test_a_reading_model_learns_the_order_of_what_a_search_finds(tmp_path: Path) -> None:
    said, inference = Said(), Inference()
    trained = await _train(_work(tmp_path, said), inference)
    assert (trained.measure, trained.kind, said.base) == ("retrieval_ndcg_10", "rerank", DIGEST)
    before, after = (sum(some.values()) / len(some) for some in (trained.before, trained.after))
    assert sorted(trained.before) == sorted(trained.after)
    assert after > max(before, trained.figures["ndcg_untuned"]) + 0.05
    assert json.loads(trained.artifact)["reading_model"] == "reader"
    assert {len(body["passages"]) for body in inference.asked[1:]} == {RANKS.found}
    kept = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert len(kept) == COUNT
    assert kept[0]["scores"] == sorted(kept[0]["scores"], reverse=True)
    assert inference.asked[1]["passages"][0].startswith("part"), "title and headings, as a search has them read"


async def test_documents_are_enough_to_learn_from_and_none_is_not(tmp_path: Path) -> None:
    method = _method()
    assert method.teaches(_question(1, answers=[]))
    assert not method.teaches(_question(1, documents={}))
    assert not method.teaches(_question(1, documents={"part1": 0}))
    assert not method.teaches(_question(1, answerable=False))
    some = [_question(number, answers=[]) for number in range(COUNT)]
    assert (await _train(_work(tmp_path / "one", Said(), some))).figures["train_loss"] > 0
    elsewhere = [_question(number, documents={"another": 1}) for number in range(COUNT)]
    with pytest.raises(TooFewExamples):
        await _train(_work(tmp_path / "two", Said(), elsewhere))


async def test_what_ranks_is_held_to_what_the_correction_makes_of_the_features(tmp_path: Path) -> None:
    said = Said()
    work = _work(tmp_path, said)
    trained = await _train(work)
    for wrong, share in ((0.0, 1.0), (0.1, 0.0)):
        method = _method(Inference(tuned=json.loads(trained.artifact), wrong=wrong))
        found = await method.served_agreement(work, "reader+try", work.held_out[:8], trained.artifact)
        assert set(found.tuned.values()) == {share}
        assert set(found.base.values()) == {1.0}
        assert said.reads[-1] == 8 * 3 * 3 * (BESIDE + 1), "three readings of each"


def test_settings_are_those_of_the_method_alone() -> None:
    def settings(**more: Any) -> dict[str, Any]:
        return _method().settings(FineTuningCreate.model_validate({**CREATE, **more}))

    assert settings(method={"type": "rerank"}) == {"collection": None, "l2": AUTO_L2}
    chosen = {"collection": "handbook", "hyperparameters": {"l2": 5}}
    assert settings(method={"type": "rerank", "rerank": chosen}) == {"collection": "handbook", "l2": 5.0}
    lora = settings(method={"type": "rerank", "rerank": {"hyperparameters": {"form": "lora", "rank": 4}}})
    usual = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 1.0, "schedule": "cosine"}
    assert lora == {"collection": None, "form": "lora", "rank": 4, **usual}
    for name, given in (("rank", {"rank": 4}), ("l2", {"form": "lora", "l2": 30})):
        with pytest.raises(FormUnfit, match=f"'{name}' is of 'form'") as refused:
            settings(method={"type": "rerank", "rerank": {"hyperparameters": given}})
        assert refused.value.param == f"method.rerank.hyperparameters.{name}"
    with pytest.raises(HyperparametersUnfit):
        settings(hyperparameters={"n_epochs": 2})
