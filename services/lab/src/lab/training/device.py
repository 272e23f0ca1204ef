"""Where a chat model learns: on a GPU of this host, or on its processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lab.training.impossible import Impossible


def device_of(job: Mapping[str, Any], rank: int = 0) -> torch.device:
    """What a job says (`auto`, `cpu`, `cuda`); of several processes each has the next GPU. Raises `Impossible` where a
    GPU is wanted and there is none that torch can use."""
    wanted, count = job.get("device", "auto"), torch.cuda.device_count()
    if wanted == "cuda" and not count:
        built = "sees none" if torch.version.cuda else "is a build without CUDA"
        raise Impossible(
            "device_not_there",
            f"The lab is to learn on a GPU (LAB_TUNING_DEVICE=cuda), and there is none that it can use: its torch "
            f"{built}. Have the operator give its host or container a GPU and the image of "
            "deploy/docker/tuning-gpu.yml, or set LAB_TUNING_DEVICE=cpu, and start another job.",
        )
    return torch.device("cuda", rank % count) if count and wanted != "cpu" else torch.device("cpu")


def precision_on(device: torch.device) -> torch.dtype:
    """What the model's own weights are computed in, which learn nothing: a GPU does so in half the time and memory.
    What is learnt is float32 everywhere."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def name_of(device: torch.device) -> str:
    """For whoever started the job."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else "the processor"
