"""Importing and setting up torch: once, in a thread of its own, with threads that sleep while they wait."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import warnings
from typing import Any, Literal

import structlog

from servicekit.core.imports import quick_imports

log = structlog.get_logger(__name__)
Precision = Literal["auto", "bfloat16", "float32"]
ENGINE_MODULES = (
    "torch",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
)


KERNELS = b"256"
"""Compiled kernels that oneDNN keeps, one for each shape of each operation; its default is 1,024. A prompt of a new
length brings about five, 0.4 MB each."""


def prepare() -> None:
    """Have OpenMP's threads sleep at barriers and oneDNN keep fewer kernels; only before torch is first imported.

    The default is to spin. Beside anything else that computes (the other engine's threads, another process) spinning
    threads keep working ones off the cores: generation beside one busy process was 3 times slower with it.
    """
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    ctypes.CDLL(None).setenv(b"ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS, 0)  # what the operator set stays


def import_engines() -> Any:
    """Import what both engines need and return torch. Seconds; call it off the event loop."""
    prepare()
    with warnings.catch_warnings(action="ignore"), quick_imports():
        modules = [importlib.import_module(name) for name in ENGINE_MODULES]
    modules[1].utils.logging.set_verbosity_error()
    modules[1].utils.logging.disable_progress_bar()
    return modules[0]


def use_threads(torch: Any, count: int) -> None:
    """How many cores one operation may use."""
    torch.set_num_threads(count)


def dtype_for(torch: Any, precision: Precision) -> Any:
    """The dtype to compute in. `auto` takes bfloat16 only where the processor multiplies it in hardware:
    elsewhere it is emulated, which made embeddings 5 times slower than float32.
    """
    if precision == "auto":
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001  # no public name
        precision = "bfloat16" if native else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def return_memory() -> None:
    """Give freed memory back to the system after a load; glibc keeps it otherwise."""
    gc.collect()
    gc.freeze()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        log.debug("no malloc_trim here")
