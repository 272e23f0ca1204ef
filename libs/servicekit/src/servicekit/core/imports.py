"""Imports of libraries that take seconds, without what only takes time and memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Look for no garbage among what is imported, a tenth of the time, and have transformers not find scipy.

    It takes scipy for the losses of image models alone: 36 MB and half a second. What imports scipy afterwards gets it.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _without_scipy():
            yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _without_scipy() -> Iterator[None]:
    """A transformers that is there has looked for scipy, and must find it."""
    if "scipy" in sys.modules or "transformers" in sys.modules:
        yield
        return
    sys.modules["scipy"] = None  # type: ignore[assignment]  # how the import system is told that a module is not there
    try:
        yield
    finally:
        del sys.modules["scipy"]
