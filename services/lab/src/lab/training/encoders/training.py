"""What learning beside the layers of an encoder has in common, whatever its loss."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lab.training.encoders.model import (
    Encoder,
    Matrices,
    add_matrices,
    load_encoder,
    put_matrices,
    remove_matrices,
    write_matrices,
)
from lab.training.loop import Examples, Plan, Tell, Training, check_size, digest_of
from lab.training.ranks import Ranks
from lab.training.state import State

TOKENIZER = "tokenizer.json"


def learn(training: type[EncoderTraining], folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Learn what `job.json` says, and leave `result.json`; or say in `parity.json` what the encoder makes of texts
    (`said`), as it is and with what was learnt. Raises `Impossible`."""
    torch.set_num_threads(job["threads"])
    encoder = load_encoder(Path(job["weights"]), folder / TOKENIZER)
    if "said" not in job:
        learning = training(folder, job, tell, encoder)
        check_size(job, learning.reads_altogether())
        return learning.run()
    artifact = job["artifact"]
    found = {"base": training.say(encoder, job["said"], None)}
    put_matrices(encoder, artifact.get("lora", artifact)["matrices"])
    found["tuned"] = training.say(encoder, job["said"], artifact)
    (folder / "parity.json").write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    return None


class EncoderTraining(Training, ABC):
    """One job's encoder, and where it is."""

    def __init__(
        self,
        folder: Path,
        job: Mapping[str, Any],
        tell: Tell,
        encoder: Encoder,
        beside: Sequence[nn.Parameter] = (),
    ) -> None:
        """`beside`: what is learnt with the matrices."""
        self._folder, self._tell, self._ranks = folder, tell, Ranks()
        self._settings = settings = job["settings"]
        self._encoder = encoder
        examples = self._encoded(job)
        self._train, self._held_out, self._general = (examples[name] for name in ("train", "held_out", "general"))
        self._plan = Plan.of(self._train, settings["n_epochs"], settings["batch_size"], job["seed"])
        self._lora = dict(add_matrices(encoder, settings["rank"], job["seed"]))
        self._learnt = [*(parameter for one in self._lora.values() for parameter in (one.a, one.b)), *beside]
        self._optimizer = torch.optim.AdamW(self._learnt, lr=0.0, weight_decay=0.0)
        self._state = State(data=digest_of(job))
        self._emitted_at = -math.inf

    @staticmethod
    @abstractmethod
    def say(encoder: Encoder, said: Sequence[Any], artifact: Mapping[str, Any] | None) -> list[list[float]]:
        """Numbers of each text, or of each question's passages; `artifact` is what was learnt, whose matrices the
        encoder has."""

    @abstractmethod
    def _encoded(self, job: Mapping[str, Any]) -> Examples:
        """In tokens."""

    def reads_altogether(self) -> int:
        """Tokens, as `Training.reads`."""
        examples = {"train": self._train, "held_out": self._held_out, "general": self._general}
        return self.reads(examples, self._settings["n_epochs"])

    def _settle(self) -> Matrices:
        """What is served: in half precision. It becomes a part of the encoder."""
        matrices = write_matrices(self._lora)
        remove_matrices(self._lora)
        put_matrices(self._encoder, matrices)
        return matrices
