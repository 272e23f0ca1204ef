from __future__ import annotations

import pytest

from contracts.core.health import PartState
from groundwork.stack.checks import models
from groundwork.stack.checks.findings import Finding
from groundwork.stack.checks.models import examine_models


def found(detail: str, name: str = "mine") -> Finding:
    (finding,) = examine_models({"database": PartState(ok=True), f"model:{name}": PartState(ok=True, detail=detail)})
    return finding


@pytest.mark.parametrize(
    ("detail", "ok", "begins", "says"),
    [
        ("The model 'mine' is not ready: it is loading.", True, "loading: it is", ""),
        (
            "The model 'mine' is not ready: it failed to load: it is no GGUF.",
            False,
            "failed: it failed",
            "start inference",
        ),
        (
            "The model 'mine' was added by another release and can't be used: engine: gone.",
            False,
            "unreadable: The model",
            "model add mine",
        ),
        ("The model's server did not answer in time.", False, "not answering: The", "its server runs"),
    ],
    ids=["loading", "failed", "unreadable", "silent"],
)
def test_each_state_is_told_with_what_to_do(detail: str, ok: bool, begins: str, says: str) -> None:
    finding = found(detail)
    assert (finding.check, finding.ok) == ("model mine", ok)
    assert finding.detail.startswith(begins)
    assert says in finding.mend


def test_a_missing_llama_cpp_is_told_once_as_what_one_can_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    detail = "The model 'mine' is not ready: it failed to load: xllamacpp is not installed."
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda _: None)
    assert found(detail).ok


def test_models_that_are_ready_are_not_listed() -> None:
    assert not list(examine_models({"model:minilm": PartState(ok=True)}))
