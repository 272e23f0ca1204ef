"""The commands that people type, against a running home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.home.stack import HANDBOOK, RunningHome, handbook_questions

from contracts.retrieval.collections import Collection

COMMAND = Path(sys.executable).parent / "groundwork"
KNOWN = handbook_questions(answerable=True)[0]


def groundwork(home: RunningHome, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root)}
    command = [str(part) for part in (COMMAND, *arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "tide.md").write_text("# Tides\n\nThe tide turns at noon.\n")
    (tmp_path / "deep" / "moon.txt").write_text("The moon is full on Friday.\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_ingest_takes_folders_makes_the_collection_and_says_what_it_skipped(home: RunningHome, folder: Path) -> None:
    done = groundwork(home, "ingest", folder, "--collection", "by-command")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 documents ready in 'by-command'" in done.stdout
    assert "picture.png" in done.stderr
    again = groundwork(home, "ingest", f"{folder}/**/*.*", "-c", "by-command")
    assert "2 unchanged" in again.stdout, again.stderr
    assert home.client.collections.get("by-command").documents == 2


def test_a_file_changed_in_place_becomes_a_new_revision(home: RunningHome, folder: Path) -> None:
    groundwork(home, "ingest", folder, "-c", "changing")
    (folder / "tide.md").write_text("# Tides\n\nThe tide turns at midnight.\n")
    done = groundwork(home, "ingest", folder, "-c", "changing")
    assert "1 unchanged" in done.stdout
    found = groundwork(home, "search", "tide", "-c", "changing").stdout
    assert "midnight" in found
    assert "noon" not in found


def test_ingest_fails_with_each_reason_and_keeps_the_rest(home: RunningHome, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
    (folder / "empty.txt").write_bytes(b"")
    done = groundwork(home, "ingest", folder, "-c", "partly")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert re.search(r"failed \S+broken\.pdf: .+ \[malformed\]", said)
    assert re.search(r"failed \S+empty\.txt: .*empty", said)
    assert "2 of 4 documents ready in 'partly' (2 failed)" in done.stdout


def test_ask_prints_the_answer_then_numbered_citations_with_their_quotes(
    home: RunningHome, handbook: Collection
) -> None:
    done = groundwork(home, "ask", KNOWN["question"], "-c", "handbook")
    assert done.returncode == 0, done.stderr
    answer, _, citations = done.stdout.partition("\n\n")
    assert KNOWN["answer"] in " ".join(answer.split())
    assert re.search(rf"\[1\] .+ \({re.escape(KNOWN['document'])}", citations)
    quotes = [" ".join(quote.split()) for quote in re.findall(r"“(.+?)”", citations, re.DOTALL)]
    text = " ".join((HANDBOOK / KNOWN["document"]).read_text().split())
    assert any(quote in text for quote in quotes)


def test_ask_about_an_unknown_collection_is_one_sentence(home: RunningHome) -> None:
    done = groundwork(home, "ask", "Why?", "-c", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_a_healthy_home_healthy(home: RunningHome) -> None:
    done = groundwork(home, "doctor")
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout


def test_a_key_is_made_limited_rotated_and_revoked_by_commands(home: RunningHome) -> None:
    made = groundwork(home, "key", "create", "robot", "-t", "bots", "--requests-per-minute=5", "--usd-a-day=1.5")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("gw_")
    key_id = made.stderr.split()[-1]
    changed = groundwork(
        home, "key", "change", key_id, "--requests-per-minute=none", "--concurrency=2", "--usd-a-month=9"
    )
    assert changed.returncode == 0, changed.stderr
    row = next(line for line in groundwork(home, "key", "list").stdout.splitlines() if key_id in line)
    assert "robot" in row
    assert "1.5 USD a day, 9 USD a month" in row
    assert groundwork(home, "key", "rotate", key_id, "--overlap=0").stdout.startswith("gw_")
    assert groundwork(home, "key", "revoke", key_id).returncode == 0
    row = next(line for line in groundwork(home, "key", "list").stdout.splitlines() if key_id in line)
    assert row.rstrip().endswith("revoked")


def test_a_collection_is_made_with_its_own_vectors_changed_listed_and_deleted_by_commands(
    home: RunningHome, folder: Path
) -> None:
    made = groundwork(home, "collection", "create", "small", "--quantization", "scalar", "--chunking", "sentence")
    assert "made 'small'" in made.stdout, made.stderr
    assert "chunking sentence, vectors scalar" in made.stdout
    assert groundwork(home, "ingest", folder, "-c", "small").returncode == 0
    moved = groundwork(home, "reindex", "small", "--on-disk")
    assert moved.returncode == 0, moved.stderr
    kept = home.client.collections.get("small").vectors
    assert (kept.quantization, kept.on_disk) == ("scalar", True)
    row = next(line for line in groundwork(home, "collection", "list").stdout.splitlines() if "small" in line)
    assert "scalar, on disk" in row
    assert "moon" in groundwork(home, "search", "moon", "-c", "small").stdout
    assert groundwork(home, "collection", "delete", "small", "--yes").returncode == 0
    assert "small" not in groundwork(home, "collection", "list").stdout
