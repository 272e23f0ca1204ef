"""What torch and its libraries are told before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = """
import ctypes
from inference.engines.torch_runtime import prepare
prepare()
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(getenv(b"ONEDNN_PRIMITIVE_CACHE_CAPACITY").decode(), getenv(b"OMP_WAIT_POLICY").decode())
"""


@pytest.mark.parametrize(("set_by_operator", "told"), [("", "256 PASSIVE"), ("64", "64 PASSIVE")])
def test_libraries_keep_few_kernels_unless_the_operator_says_how_many(set_by_operator: str, told: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ONEDNN", "OMP"))}
    if set_by_operator:
        environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = set_by_operator
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == told, done.stderr


IMPORT = """
import sys
from inference.engines.torch_runtime import import_engines
import_engines()
print("scipy" in sys.modules, "transformers.models.bert.modeling_bert" in sys.modules)
import scipy.optimize
"""


def test_scipy_is_not_imported_with_the_engines_and_is_there_for_whoever_wants_it() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout.strip()) == (0, "False True"), done.stderr


AFTER_TRANSFORMERS = """
from transformers.utils import is_scipy_available
is_scipy_available()
from inference.engines.torch_runtime import import_engines
import_engines()
"""


def test_engines_are_imported_also_where_transformers_has_found_scipy_before() -> None:
    subprocess.run([sys.executable, "-c", AFTER_TRANSFORMERS], check=True, timeout=300)
