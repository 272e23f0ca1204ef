from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

import pytest

from servicekit.core.imports import quick_imports


@pytest.fixture(autouse=True)
def nothing_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("scipy", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_scipy_is_not_found_and_no_garbage_looked_for_until_all_is_imported() -> None:
    with quick_imports():
        assert find_spec("scipy") is None
        assert not gc.isenabled()
    assert "scipy" not in sys.modules
    assert gc.isenabled()


def test_all_is_as_before_also_after_an_import_that_failed() -> None:
    with pytest.raises(ModuleNotFoundError), quick_imports():
        import scipy  # noqa: F401
    assert "scipy" not in sys.modules
    assert gc.isenabled()


def test_a_process_that_looks_for_no_garbage_yet_does_not_begin_to() -> None:
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
