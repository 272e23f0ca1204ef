"""What learning beside the layers of an encoder has in common, whatever its loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lab.training.encoders.model import (
    Encoder,
    Matrices,
    add_matrices,
    put_matrices,
    remove_matrices,
    write_matrices,
)
from lab.training.loop import Examples, Plan, Tell, Training, digest_of
from lab.training.ranks import Ranks
from lab.training.state import State

TOKENIZER = "tokenizer.json"


class EncoderTraining(Training):
    """One job's encoder, and where it is."""

    def __init__(
        self,
        folder: Path,
        job: Mapping[str, Any],
        tell: Tell,
        examples: Examples,
        encoder: Encoder,
        beside: Sequence[nn.Parameter] = (),
    ) -> None:
        """`beside`: what is learnt with the matrices."""
        self._folder, self._tell, self._ranks = folder, tell, Ranks()
        self._settings = settings = job["settings"]
        self._encoder = encoder
        self._train, self._held_out, self._general = (examples[name] for name in ("train", "held_out", "general"))
        self._plan = Plan.of(self._train, settings["n_epochs"], settings["batch_size"], job["seed"])
        self._lora = dict(add_matrices(encoder, settings["rank"], job["seed"]))
        self._learnt = [*(parameter for one in self._lora.values() for parameter in (one.a, one.b)), *beside]
        self._optimizer = torch.optim.AdamW(self._learnt, lr=0.0, weight_decay=0.0)
        self._state = State(data=digest_of(job))
        self._emitted_at = -math.inf

    def _settle(self) -> Matrices:
        """What is served: in half precision. It becomes a part of the encoder."""
        matrices = write_matrices(self._lora)
        remove_matrices(self._lora)
        put_matrices(self._encoder, matrices)
        return matrices
