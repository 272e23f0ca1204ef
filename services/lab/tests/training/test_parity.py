from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from services.lab.tests.training import tiny

from lab.training import loop, parity
from lab.training.adapter_file import interleaved, read_adapter, write_adapter
from lab.training.header import read_header
from lab.training.lora import LoraLinear, add_lora
from lab.training.weights import load_model

RANK = 4


def quiet(event: str, **more: Any) -> None:
    """Nobody listens."""


def said(*answers: str, is_whole: bool = True) -> list[dict[str, Any]]:
    asked = [{"role": "user", "content": "Say 1"}]
    return [
        {"id": f"q{at}", "messages": asked, "answer": answer, "is_whole": is_whole} for at, answer in enumerate(answers)
    ]


def checked(folder: Path, job: dict[str, Any], **answers: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    parity.run(folder, {**job, "said": answers}, quiet)
    found: dict[str, dict[str, float]] = json.loads((folder / "parity.json").read_text())
    return found


def matrices(folder: Path, job: dict[str, Any], seed: int) -> dict[str, LoraLinear]:
    """Of the tiny model, with numbers in both that come from a seed."""
    model = load_model(Path(job["weights"]), read_header(Path(job["weights"])))
    learnt = add_lora(model.model, RANK, 2.0 * RANK, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in learnt.values():
            one.b.copy_(torch.rand(one.b.shape, generator=generator))
    return learnt


def test_the_tuned_model_agrees_with_what_it_learnt_and_its_base_with_little_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job = tiny.write_job(folder, n_epochs=20)
    loop.run(folder, job, quiet)
    found = checked(folder, job, base=said("yes", "yes, yes"), tuned=said("yes", "yes, yes"))
    assert found["tuned"]["q0"] > 0.7 > found["base"]["q0"]
    assert found["tuned"].keys() == found["base"].keys() == {"q0", "q1"}


def test_the_end_of_an_answer_that_was_cut_off_was_nobodys_choice(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    job = tiny.write_job(folder, n_epochs=1)
    loop.run(folder, job, quiet)
    whole = checked(folder, job, base=said("yes"), tuned=said("yes"))["base"]["q0"]
    cut = checked(folder, job, base=said("yes", is_whole=False), tuned=said("yes"))["base"]["q0"]
    assert round(whole * 4) == pytest.approx(whole * 4)
    assert round(cut * 3) == pytest.approx(cut * 3)
    silent = checked(folder, job, base=said("", is_whole=False), tuned=said(""))
    assert silent["base"]["q0"] in (0.0, 1.0)


def test_an_adapter_is_read_as_it_was_written_and_its_rows_are_in_llama_cpp_s_order(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job")
    path, written, read = tmp_path / "adapter.gguf", matrices(tmp_path, job, 1), matrices(tmp_path, job, 2)
    write_adapter(path, written, 2.0 * RANK, tiny.HEADS, tiny.KEY_VALUE_HEADS)
    read_adapter(path, read, tiny.HEADS, tiny.KEY_VALUE_HEADS)
    for name, one in written.items():
        assert torch.equal(one.a, read[name].a), name
        assert torch.equal(one.b, read[name].b), name
        assert one.scale == read[name].scale
    query = next(one.b for name, one in written.items() if "q_proj" in name).detach().numpy()
    assert (interleaved(query, tiny.HEADS) != query).any()


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    job = tiny.write_job(tmp_path / "job")
    path, written = tmp_path / "adapter.gguf", matrices(tmp_path, job, 1)
    write_adapter(path, written, 2.0 * RANK, tiny.HEADS, tiny.KEY_VALUE_HEADS)
    model = load_model(Path(job["weights"]), read_header(Path(job["weights"])))
    other = add_lora(model.model, RANK + 1, 2.0, 1)
    with pytest.raises(ValueError, match="another form"):
        read_adapter(path, other, tiny.HEADS, tiny.KEY_VALUE_HEADS)
