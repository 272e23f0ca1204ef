from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cli.tests.documents_server import DocumentsServer
from cli.tests.server import Serve
from cli.tests.terminal import run, sentence

from groundwork.client.transfers.folder_watch import FolderWatch, Happening
from groundwork.commands.documents.watch import _ended_by_signals, _show
from groundwork.commands.session import Session
from groundwork.settings import CommandSettings


@pytest.mark.parametrize("arguments", [["a", "b"], ["missing"]])
def test_a_watch_needs_one_folder(tmp_path: Path, arguments: list[str]) -> None:
    assert "folder" in sentence("ingest", "--watch", "-c", "c", *(str(tmp_path / each) for each in arguments))


def test_a_watch_that_is_ended_ends_well_and_keeps_the_documents(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(watch: FolderWatch, *_: object) -> None:
        watch.look()
        watch.look()
        signal.raise_signal(signal.SIGTERM)

    server, folder = DocumentsServer(), tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("A")
    serve(server)
    monkeypatch.setattr(FolderWatch, "run", press)
    done = run("ingest", "--watch", str(folder), "-c", "c")
    assert done.exit_code == 0, done.output
    assert f"Watching {folder} for 'c' (0 documents so far)" in done.stderr
    assert done.stderr.endswith("Stopped watching. Documents stay; a new watch goes on from here.\n")
    assert done.stdout.splitlines()[0].split() == ["new", "a.md"]
    assert len(server.documents) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_exception_and_an_event_and_afterwards_what_it_was(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), _ended_by_signals() as over:
        signal.raise_signal(number)
    assert over.is_set()
    assert signal.getsignal(number) is before


def test_a_name_that_is_no_text_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    _show(Session(CommandSettings()), Happening("failed", os.fsdecode(b"bad\xff.md"), "rename it"))
    assert capsys.readouterr().out == "failed   bad?.md  rename it\n"
