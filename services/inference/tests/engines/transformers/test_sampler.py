from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from inference.engines.transformers.sampler import Sampler
from inference.requests.generation_request import Sampling

SCORES = [1.0, 3.0, 2.0, -1.0]
"""Of four tokens."""
MASK = np.array([True, False, True, True])


@pytest.fixture
def logits(torch: Any) -> Any:
    return torch.tensor(SCORES)


def sampler(torch: Any, **sampling: Any) -> Sampler:
    return Sampler(torch, Sampling.model_validate(sampling), "cpu")


def test_at_temperature_zero_the_likeliest_of_those_allowed_comes(torch: Any, logits: Any) -> None:
    cold = sampler(torch)
    assert [cold.pick(logits, None) for _ in range(3)] == [1, 1, 1]
    assert cold.pick(logits, MASK) == 2
    assert logits.tolist() == SCORES, "the model's own are not changed"


def test_penalties_count_what_this_answer_has_written(torch: Any, logits: Any) -> None:
    present = sampler(torch, presence_penalty=1.5)
    assert [present.pick(logits, None) for _ in range(3)] == [1, 2, 1], "both are there now, and 1 is likelier"
    often = sampler(torch, frequency_penalty=0.6)
    assert [often.pick(logits, None) for _ in range(5)] == [1, 1, 2, 1, 2]
    often.restart()
    assert often.pick(logits, None) == 1
    dear = sampler(torch, frequency_penalty=-2)
    assert {dear.pick(logits, None) for _ in range(3)} == {1}


def test_a_bias_is_added_and_one_for_a_token_that_there_is_not_changes_nothing(torch: Any, logits: Any) -> None:
    assert sampler(torch, logit_bias={3: 5, 99: 100}).pick(logits, None) == 3
    assert sampler(torch, logit_bias={1: -100}).pick(logits, None) == 2
    assert sampler(torch, logit_bias={1: 100}).pick(logits, MASK) == 2, "what is not allowed is not made so"


def test_the_same_seed_draws_the_same_tokens_and_goes_on_through_an_answer_s_choices(torch: Any, logits: Any) -> None:
    def drawn(seed: int | None) -> list[int]:
        warm = sampler(torch, temperature=1.5, seed=seed)
        return [warm.pick(logits, None) for _ in range(50)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert drawn(None) != drawn(None)
    warm = sampler(torch, temperature=1.5, seed=7)
    choices = []
    for _ in range(2):
        warm.restart()
        choices.append([warm.pick(logits, None) for _ in range(25)])
    assert choices[0] + choices[1] == drawn(7)
    assert choices[0] != choices[1]


def test_draws_follow_the_chances_of_those_allowed(torch: Any, logits: Any) -> None:
    warm = sampler(torch, temperature=1, seed=1)
    drawn = Counter(warm.pick(logits, MASK) for _ in range(2000))
    assert set(drawn) <= {0, 2, 3}
    chances = {token: math.exp(SCORES[token]) for token in (0, 2, 3)}
    total = sum(chances.values())
    assert all(abs(drawn[token] / 2000 - chance / total) < 0.05 for token, chance in chances.items())


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, {1}), (1e-12, {1}), (0.6, {1}), (0.7, {1, 2}), (0.95, {0, 1, 2}), (1.0, {0, 1, 2, 3})]
)
def test_tokens_are_drawn_from_the_smallest_set_that_is_likely_enough(
    torch: Any, logits: Any, top_p: float, kept: set[int]
) -> None:
    warm = sampler(torch, temperature=1, top_p=top_p, seed=3)
    assert {warm.pick(logits, None) for _ in range(2000)} == kept


def test_however_cold_it_is_a_token_comes(torch: Any, logits: Any) -> None:
    assert sampler(torch, temperature=1e-30, top_p=0.0, seed=1).pick(logits, None) == 1


def test_chances_are_the_model_s_own_likeliest_first_and_no_more_than_there_are(torch: Any, logits: Any) -> None:
    asked = sampler(torch, logprobs=True, top_logprobs=2, logit_bias={1: -100}, temperature=2)
    total = math.log(sum(map(math.exp, SCORES)))
    logprob, likeliest = asked.likeliest(logits, 3)
    assert logprob == pytest.approx(-1 - total, abs=1e-5)
    assert [token for token, _ in likeliest] == [1, 2]
    assert likeliest[0][1] == pytest.approx(3 - total, abs=1e-5)
    assert len(sampler(torch, logprobs=True, top_logprobs=20).likeliest(logits, 0)[1]) == len(SCORES)
    assert sampler(torch, logprobs=True).likeliest(logits, 0)[1] == []
