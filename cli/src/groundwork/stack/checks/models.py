"""Models that inference can't use, with the reason that it gives; read from its `/readyz`, which needs no key."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping

from contracts.core.health import PartState
from groundwork.stack.checks.findings import Finding

PART = "model:"
"""Begins the name of a model's part."""
FAILED = "it failed to load"
LOADING = "it is loading"
UNREADABLE = "added by another release"


def examine_models(parts: Mapping[str, PartState]) -> Iterator[Finding]:
    """One finding for each model that is not ready; nothing of those that are."""
    for part, state in parts.items():
        if part.startswith(PART) and state.detail:
            yield _finding(part.removeprefix(PART), state.detail)


def _finding(name: str, detail: str) -> Finding:
    reason = detail.removeprefix(f"The model '{name}' is not ready: ")
    check = f"model {name}"
    if LOADING in detail:
        return Finding(check, True, f"loading: {reason}")
    if "xllamacpp" in detail and importlib.util.find_spec("xllamacpp") is None:
        return Finding(check, True, f"failed: {reason}")  # all the rest works without; said of llama.cpp above
    if UNREADABLE in detail:
        return Finding(check, False, f"unreadable: {reason}", _again(name))
    if FAILED in detail:
        mend = f"Mend that and start inference again. {_again(name)}"
        return Finding(check, False, f"failed: {reason}", mend)
    mend = (
        f"See that its server runs and its key is right; `groundwork model list` shows when it is back. {_again(name)}"
    )
    return Finding(check, False, f"not answering: {reason}", mend)


def _again(name: str) -> str:
    return (
        f"If it was added, declare it anew (`groundwork model add {name} ...`) or remove it (`groundwork model remove "
        f"{name}`); one of models.yaml is changed there."
    )
