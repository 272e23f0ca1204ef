"""torch, for the engines that compute in this process."""

from __future__ import annotations

import warnings
from typing import Any

import pytest


@pytest.fixture(scope="session")
def torch() -> Any:
    """Imported once, with one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

    torch.set_num_threads(1)
    return torch
