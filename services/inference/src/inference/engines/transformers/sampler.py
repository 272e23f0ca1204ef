"""Which token comes next, and how likely it was: on the logits of one position."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.requests.generation_request import Sampling

COLDEST = 1e-5
LEAST_TOP_P = 1e-6
"""Smaller ones mean the same, and float32 makes NaN or nothing of them."""


class Sampler:
    """Chooses tokens as one request asks; its choices follow each other from one seed."""

    def __init__(self, torch: Any, sampling: Sampling, device: Any) -> None:
        self._torch = torch
        self._sampling = sampling
        self._random = torch.Generator(device=device)
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)
        self._written: Counter[int] = Counter()

    def restart(self) -> None:
        """Another answer begins: penalties count its own tokens only."""
        self._written.clear()

    def pick(self, logits: Any, allowed: NDArray[np.bool_] | None) -> int:
        """The next token. Penalties are OpenAI's: presence + frequency · count, taken from a token's logit."""
        torch, sampling = self._torch, self._sampling
        scores = logits.clone()
        if sampling.frequency_penalty or sampling.presence_penalty:
            for token, count in self._written.items():
                scores[token] -= sampling.presence_penalty + sampling.frequency_penalty * count
        for token, bias in sampling.logit_bias.items():
            if token < scores.shape[0]:
                scores[token] += bias
        if allowed is not None:
            scores.masked_fill_(~torch.from_numpy(allowed).to(scores.device), float("-inf"))
        token = int(torch.argmax(scores)) if sampling.temperature == 0 else self._draw(scores)
        self._written[token] += 1
        return token

    def _draw(self, scores: Any) -> int:
        """From the smallest set of tokens whose probabilities sum to `top_p`."""
        torch, sampling = self._torch, self._sampling
        chances = torch.softmax(scores / max(sampling.temperature, COLDEST), dim=-1)
        if sampling.top_p < 1:
            ordered, tokens = torch.sort(chances, descending=True)
            ordered[torch.cumsum(ordered, dim=-1) - ordered >= max(sampling.top_p, LEAST_TOP_P)] = (
                0  # the first always stays
            )
            return int(tokens[torch.multinomial(ordered, 1, generator=self._random)])
        return int(torch.multinomial(chances, 1, generator=self._random))

    def likeliest(self, logits: Any, token: int) -> tuple[float, list[tuple[int, float]]]:
        """The model's own log probability of a token, and those of the `top_logprobs` likeliest."""
        chances = self._torch.log_softmax(logits, dim=-1)
        values, tokens = self._torch.topk(chances, min(self._sampling.top_logprobs, chances.shape[0]))
        return float(chances[token]), list(zip(tokens.tolist(), values.tolist(), strict=True))
