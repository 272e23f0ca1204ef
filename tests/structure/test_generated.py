"""What is generated and committed must match what the code would generate now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_configuration_page_matches_the_settings() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/build_configuration.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_index_of_decisions_has_every_record_and_each_fits_a_page() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/build_decisions.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_page_of_tools_and_their_names_in_the_contract_match_the_table() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/build_tools.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_page_of_formats_matches_the_catalog() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/build_formats.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_types_of_the_console_match_the_openapi_document() -> None:
    done = subprocess.run([sys.executable, ROOT / "console/api_types.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_committed_openapi_document_matches_the_gateway() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.openapi"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/openapi.json").read_text() == done.stdout, "run `make docs`"
