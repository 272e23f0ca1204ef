"""The learning itself: batches in an order that the seed gives, loss on answers alone, checkpoints to go on from.
`preferences.py` learns in the same way by another loss."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lab.training.adapter_file import ARCHITECTURE, write_adapter
from lab.training.device import device_of, name_of, precision_on
from lab.training.encoding import Chats, Encoded, Example, tokens_of
from lab.training.header import Header, read_header
from lab.training.impossible import Impossible, not_finite, not_tunable
from lab.training.lora import add_lora
from lab.training.ranks import Ranks
from lab.training.state import State, load, save
from lab.training.weights import load_model

Tell = Callable[..., None]
Figures = Mapping[str, float]
Examples = Mapping[str, Sequence[Any]]
"""`train`, `held_out` and `general`: of each one sort, `Encoded` or `EncodedPair`."""
ALONE = Ranks()
PROCESSOR = torch.device("cpu")
BASE_RATE = 5e-4
WARM_UP = 0.05
CLIP = 1.0
AT_ONCE = 1024
"""Tokens of a pass, padding included: what memory is needed for. A batch is as many passes as it takes."""
SAVE_SECONDS = 20.0
MOST_STEPS_SHOWN = 500
LEAST_TRAIN, LEAST_HELD_OUT = 10, 6
EMIT_SECONDS = 1.0
"""Between two times that what was read to judge by is told, to be charged whatever comes: each is written down."""
SIGN_EVERY = 500
"""Examples made into tokens between two signs of life."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which examples each step learns from."""

    batches: Sequence[Sequence[Any]]
    an_epoch: int
    """Steps."""

    @classmethod
    def of(cls, examples: Sequence[Example], epochs: int, size: int, seed: int) -> Plan:
        """Every example once an epoch, in another order in each."""
        batches: list[Sequence[Example]] = []
        for epoch in range(epochs):
            order = list(examples)
            random.Random(f"{seed} {epoch}").shuffle(order)  # noqa: S311  # an order, no secret
            batches += [order[at : at + size] for at in range(0, len(order), size)]
        return cls(batches, math.ceil(len(examples) / size))


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Learn, and write `adapter.gguf` and `result.json`; raises `Impossible`."""
    learn(Training, folder, job, tell)


def learn(training: type[Training], folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """The same by another loss; raises `Impossible`."""
    ranks = Ranks.join(folder)
    torch.set_num_threads(max(1, job["threads"] // ranks.count))
    device = device_of(job, ranks.number)
    header = tunable_header(job)
    tell = tell if ranks.is_first else _say_nothing
    if device.type != "cpu":
        tell("message", message=f"It learns on {name_of(device)}.")
    examples = _encoded(folder, job, header, tell)
    check_size(job, training.reads(examples, job["settings"]["n_epochs"]))
    training(folder, job, tell, examples, header, ranks, device).run()


def _say_nothing(event: str, **more: Any) -> None:
    """Another process tells it."""


def tunable_header(job: Mapping[str, Any]) -> Header:
    """Of the weights that a job learns on; raises `Impossible` for those that nothing here can learn on."""
    header = read_header(Path(job["weights"]))
    if header.architecture != ARCHITECTURE or not header.template:
        raise Impossible(
            "model_not_tunable",
            f"Models of the architecture '{header.architecture}'{'' if header.template else ' without a chat template'}"
            " can't be tuned here, only chat models of the architecture 'llama' in GGUF. Choose another model.",
        )
    if not header.end:
        raise not_tunable("its file does not say which token ends a turn (tokenizer.ggml.eos_token_id)")
    if header.adds_begin is None:
        raise not_tunable(
            "its file does not say whether a text begins with a token of its own (tokenizer.ggml.add_bos_token), so "
            "that it could be served otherwise than it learnt"
        )
    return header


def _encoded(folder: Path, job: Mapping[str, Any], header: Header, tell: Tell) -> Examples:
    """The examples to learn from, those that are held out, and the general ones."""
    chats = Chats(str(folder / "tokenizer.json"), header.template, header.end, header.begin, header.adds_begin)
    most = job["settings"]["max_tokens"]
    found: dict[str, Sequence[Example]] = {}
    for which in ("train", "held_out", "general"):
        encoded: list[Example] = []
        for number, example in enumerate(job[which]):
            if number % SIGN_EVERY == 0:
                tell("alive")
            encoded.append(chats.example(example))
        found[which] = [one for one in encoded if one.width <= most]
        if longer := len(encoded) - len(found[which]) + job["longer"][which]:
            tell("message", message=f"{longer} of {which} are longer than {most} tokens ('max_tokens'), and left out.")
    train, held_out = found["train"], found["held_out"]
    if len(train) < LEAST_TRAIN or len(held_out) < LEAST_HELD_OUT:
        raise Impossible(
            "too_few_examples",
            f"Of the examples {len(train)} to learn from and {len(held_out)} held out are short enough; at least "
            f"{LEAST_TRAIN} and {LEAST_HELD_OUT} are needed. Raise 'max_tokens', or add shorter ones.",
        )
    return found


def check_size(job: Mapping[str, Any], tokens: int) -> None:
    """Raises `Impossible` where more would be read than may be."""
    if tokens > job["most_tokens"]:
        raise Impossible(
            "too_many_tokens",
            f"The job would read {tokens:,} tokens, to learn from them or to be judged by them; the most is "
            f"{job['most_tokens']:,} (LAB_TUNING_TOKENS). "
            "Choose fewer examples or a smaller 'n_epochs'.",
        )


def loaded(path: Path, header: Header, device: torch.device) -> Any:
    """The model on a device; raises `Impossible` for a file that is not one of llama's."""
    try:
        return load_model(path, header).to(device, precision_on(device))
    except ValueError as error:
        raise not_tunable(str(error)) from None


class Training:
    """One job's model, and where it is."""

    highest_rate = BASE_RATE
    """Of a multiplier of 1."""

    def __init__(
        self,
        folder: Path,
        job: Mapping[str, Any],
        tell: Tell,
        examples: Examples,
        header: Header,
        ranks: Ranks = ALONE,
        device: torch.device = PROCESSOR,
    ) -> None:
        self._folder, self._tell, self._ranks = folder, tell, ranks
        self._train, self._held_out, self._general = (examples[name] for name in ("train", "held_out", "general"))
        settings = job["settings"]
        self._settings = settings
        self._plan = Plan.of(self._train, settings["n_epochs"], settings["batch_size"], job["seed"])
        self._model: Any = loaded(Path(job["weights"]), header, device)
        self._alpha = 2.0 * settings["rank"]
        self._lora = add_lora(self._model.model, settings["rank"], self._alpha, job["seed"])
        self._heads = (header.heads, header.key_value_heads)
        self._learnt = [parameter for one in self._lora.values() for parameter in (one.a, one.b)]
        self._optimizer = torch.optim.AdamW(self._learnt, lr=0.0, weight_decay=0.0)
        self._state = State(data=digest_of(job))
        self._emitted_at = -math.inf

    @classmethod
    def reads(cls, examples: Examples, epochs: int) -> int:
        """Tokens of all passes: what is held out is read after each epoch and before the first; the general before and
        at the end."""
        train, held_out, general = (sum(map(tokens_of, examples[name])) for name in ("train", "held_out", "general"))
        return train * epochs + held_out * (epochs + 1) + general * 2

    def run(self) -> None:
        """From the last checkpoint to the result. What was read until it could not go on is told, too."""
        try:
            self._run()
        except (Impossible, RuntimeError, MemoryError):  # torch's word for memory that does not suffice is the second
            self._tell("read", tokens=self._state.tokens)
            raise

    def _run(self) -> None:
        self._resume()
        began, saved = time.monotonic() - self._state.seconds, time.monotonic()
        steps = len(self._plan.batches)
        every = max(1, steps // MOST_STEPS_SHOWN)
        for step in range(self._state.step, steps):
            self._state.loss = self._step(step, self._plan.batches[step])
            self._state.step, self._state.seconds = step + 1, time.monotonic() - began
            ends_epoch = (step + 1) % self._plan.an_epoch == 0
            if (step + 1) % every == 0 or step + 1 == steps:
                self._tell_step()
            if ends_epoch and step + 1 < steps:
                self._end_epoch(self._judge()[1])
            if ends_epoch or time.monotonic() - saved > SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
        self._finish()

    def _resume(self) -> None:
        found = load(self._folder)
        if found is not None and found[0].data != self._state.data:
            self._tell("message", message="It begins anew: the last checkpoint is of other examples.")
            found = None
        if found is None:
            began = time.monotonic()
            self._state.before = self._judge_first()
            self._state.general_before = self._losses(self._general)
            self._state.seconds = time.monotonic() - began
            self._save()
            return
        self._state, parts = found
        with torch.no_grad():
            for parameter, value in zip(self._learnt, parts["learnt"], strict=True):
                parameter.copy_(value)
        self._optimizer.load_state_dict(parts["optimizer"])
        self._tell("message", message=f"It goes on after step {self._state.step}.")

    def _save(self) -> None:
        parts = {"learnt": [one.detach() for one in self._learnt], "optimizer": self._optimizer.state_dict()}
        if self._ranks.is_first:
            save(self._folder, self._state, parts)

    def _step(self, step: int, batch: Sequence[Any]) -> float:
        """One batch's mean loss; raises `Impossible` where it is no number any more."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(step)
        total = 0.0
        for examples in self._ranks.share(list(passes(batch))):
            loss = self._share_of_loss(examples, batch)
            loss.backward()
            total += loss.item()
        self._count(batch)
        total = self._ranks.add_up(total, self._learnt)
        norm = torch.nn.utils.clip_grad_norm_(self._learnt, CLIP)
        if not math.isfinite(total) or not math.isfinite(norm.item()):
            raise not_finite(total, f"at step {step + 1}")
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return total

    def _count(self, examples: Sequence[Any]) -> None:
        """What is read of them, to learn from it or to be judged by it."""
        self._state.tokens += sum(map(tokens_of, examples))

    def _judge_by(self, examples: Sequence[Any]) -> None:
        """They are read now to judge by: counted, a sign of life, and now and then told."""
        self._count(examples)
        is_due = time.monotonic() - self._emitted_at >= EMIT_SECONDS
        if is_due:
            self._emitted_at = time.monotonic()
        self._tell("alive", **({"tokens": self._state.tokens} if is_due else {}))

    def _share_of_loss(self, examples: Sequence[Any], batch: Sequence[Any]) -> Tensor:
        """What some examples of a batch add to its mean loss, here of a token."""
        shares: Tensor = self._token_losses(examples)[0].sum() / sum(one.learnt for one in batch)
        return shares

    def _judge_first(self) -> dict[str, float]:
        """What is held out, before anything was learnt."""
        return self._losses(self._held_out)

    def _judge(self) -> tuple[dict[str, float], dict[str, float]]:
        """What is held out by question, and the figures of the whole."""
        losses = self._losses(self._held_out)
        return losses, {"valid_loss": sum(losses.values()) / len(losses)}

    def _step_figures(self) -> dict[str, float]:
        """Of the last step, beside its loss."""
        return {}

    def _rate(self, step: int) -> float:
        """The learning rate of a step: it rises over the first twentieth, then follows the schedule."""
        steps = len(self._plan.batches)
        highest = self.highest_rate * float(self._settings["learning_rate_multiplier"])
        warm = max(1, round(WARM_UP * steps))
        if step < warm:
            return highest * (step + 1) / warm
        left = 1 - (step - warm) / max(1, steps - warm)
        shares = {"constant": 1.0, "linear": left, "cosine": 0.5 * (1 + math.cos(math.pi * (1 - left)))}
        return highest * shares[self._settings["schedule"]]

    def _token_losses(self, examples: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """(n,), (n,): of each answer's token, and the number of its example; both here, wherever the model is."""
        logits, targets, rows = answer_logits(self._model, examples)
        return functional.cross_entropy(logits, targets, reduction="none").cpu(), rows

    def _losses(self, asked: Sequence[Any]) -> dict[str, float]:
        """Mean loss of a token of each of these examples; raises `Impossible` where one is no number."""
        found: dict[str, float] = {}
        for examples in passes(asked):
            self._judge_by(examples)
            with torch.no_grad():
                losses, rows = self._token_losses(examples)
            for row, one in enumerate(examples):
                found[one.id] = losses[rows == row].mean().item()
        for name, loss in found.items():
            if not math.isfinite(loss):
                raise not_finite(loss, f"of the held-out question '{name}' after step {self._state.step}")
        return found

    def _tell_step(self) -> None:
        speed = self._state.tokens / max(self._state.seconds, 1e-9)
        figures = {
            "train_loss": self._state.loss,
            **self._step_figures(),
            "tokens_per_second": round(speed, 1),
            "learning_rate": float(self._optimizer.param_groups[0]["lr"]),
        }
        self._tell(
            "step", step=self._state.step, steps=len(self._plan.batches), tokens=self._state.tokens, figures=figures
        )

    def _end_epoch(self, valid: Figures) -> None:
        self._tell("checkpoint", step=self._state.step, figures={"train_loss": self._state.loss, **valid})

    def _finish(self) -> None:
        """The last epoch's end, whose state is saved: a process that is killed while it judges learns nothing again."""
        after, valid = self._judge()
        self._end_epoch(valid)
        general = self._losses(self._general)
        if not self._ranks.is_first:
            return
        write_adapter(self._folder / "adapter.gguf", self._lora, self._alpha, *self._heads)
        self._write_result(after, general, valid, {})

    def _write_result(self, after: Figures, general: Figures, valid: Figures, more: Mapping[str, Any]) -> None:
        figures = {"train_loss": self._state.loss, **valid, "seconds": round(self._state.seconds, 1)}
        result = {
            "before": self._state.before,
            "after": after,
            "general_before": self._state.general_before,
            "general_after": general,
            "tokens": self._state.tokens,
            "figures": figures,
            **more,
        }
        part = self._folder / "result.json.part"
        part.write_text(json.dumps(result, allow_nan=False), encoding="utf-8")
        part.replace(self._folder / "result.json")


def answer_logits(model: Any, examples: Sequence[Encoded]) -> tuple[Tensor, Tensor, Tensor]:
    """(n, vocabulary), (n,), (n,): what the model expects at the place of each answer's token, the token, and the
    number of its example, which alone is not on the model's device. Only those places go through the last layer, whose
    width is that of the vocabulary."""
    width = max(len(one.ids) for one in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    targets: list[int] = []
    rows: list[int] = []
    places: list[int] = []
    for row, one in enumerate(examples):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        mask[row, : len(one.ids)] = 1
        targets += one.ids[one.prompt :]
        rows += [row] * one.learnt
        places += range(one.prompt - 1, len(one.ids) - 1)
    device = model.device
    hidden = model.model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).last_hidden_state
    at = torch.tensor([rows, places], device=device)
    logits = model.get_output_embeddings()(hidden[at[0], at[1]]).float()
    return logits, torch.tensor(targets, device=device), torch.tensor(rows)


def digest_of(job: Mapping[str, Any]) -> str:
    """Of all that steps depend on: the examples in their order, the weights, and the seed."""
    parts = {name: job[name] for name in ("train", "held_out", "general", "base", "seed")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def passes(batch: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Examples of about the same length together, so many that they have `AT_ONCE` tokens at most, or one."""
    together: list[Any] = []
    for one in sorted(batch, key=lambda each: (each.width, each.id)):
        if together and (len(together) + 1) * len(one.rows) * one.width > AT_ONCE:
            yield together
            together = []
        together.append(one)
    if together:
        yield together
