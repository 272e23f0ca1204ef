"""Which tokens of what served models said the trainer would have chosen, too, with the adapter and without."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lab.training.adapter_file import read_adapter
from lab.training.device import device_of
from lab.training.encoding import Chats, Encoded
from lab.training.loop import answer_logits, loaded, passes, tunable_header
from lab.training.lora import add_lora

Tell = Callable[..., None]


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Read `adapter.gguf`, and write `parity.json`; raises `Impossible`."""
    torch.set_num_threads(job["threads"])
    header = tunable_header(job)
    chats = Chats(str(folder / "tokenizer.json"), header.template, header.end, header.begin, header.adds_begin)
    said = {name: [_encoded(chats, one) for one in answers] for name, answers in job["said"].items()}
    model = loaded(Path(job["weights"]), header, device_of(job))
    found = {"base": _agreement(model, said["base"], tell)}
    rank = job["settings"]["rank"]
    learnt = add_lora(model.model, rank, 2.0 * rank, 0)
    read_adapter(folder / "adapter.gguf", learnt, header.heads, header.key_value_heads)
    found["tuned"] = _agreement(model, said["tuned"], tell)
    part = folder / "parity.json.part"
    part.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    part.replace(folder / "parity.json")


def _encoded(chats: Chats, answer: Mapping[str, Any]) -> Encoded:
    """The end of a turn was chosen, too, by a model that came to it; of one that was cut off it was not."""
    found = chats.encode(answer)
    return found if answer["is_whole"] or found.learnt == 1 else Encoded(found.id, found.ids[:-1], found.prompt)


def _agreement(model: Any, said: Sequence[Encoded], tell: Tell) -> dict[str, float]:
    """By example, the share of its tokens that are the likeliest after those before them."""
    shares: dict[str, float] = {}
    for examples in passes(said):
        tell("alive")
        with torch.no_grad():
            logits, targets, rows = answer_logits(model, examples)
        agrees = (logits.argmax(dim=1) == targets).float().cpu()
        for row, one in enumerate(examples):
            shares[one.id] = agrees[rows == row].mean().item()
    return shares
