"""A retriever as a process of its own, which can be killed and started again on the same folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx2
from tests.support.retriever.service import Tokens

START_SECONDS = 90


@dataclass
class RetrieverProcess:
    """One home of a retriever; at most one process works in it at a time."""

    folder: Path
    tokens: Tokens
    inference_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """More of `RETRIEVER_*`."""
    process: subprocess.Popen[bytes] | None = None
    base_url: str = ""

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def start(self) -> None:
        """Start the process; `wait_ready` says when it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {
            **os.environ,
            "RETRIEVER_PORT": str(port),
            "RETRIEVER_DATA_DIR": str(self.data),
            "RETRIEVER_INFERENCE_URL": self.inference_url,
            "RETRIEVER_GATEWAY_URL": self.inference_url,
            "RETRIEVER_DELEGATION_PUBLIC_KEY_FILE": str(self.tokens.key_file),
            **self.settings,
        }
        with (self.folder / "retriever.log").open("ab") as log:
            command = [sys.executable, "-m", "retriever"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.base_url = f"http://127.0.0.1:{port}"

    def wait_ready(self) -> None:
        """Return when the retriever is ready; fails if it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        with httpx2.Client(base_url=self.base_url, timeout=60) as client:
            while time.monotonic() < deadline:
                assert self.process is not None
                assert self.process.poll() is None, f"the retriever ended at its start: {self.last_words()}"
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx2.TransportError:
                    Event().wait(0.02)
        raise AssertionError(f"the retriever was not ready in time: {self.last_words()}")

    def client(self, tenant: str = "acme") -> httpx2.Client:
        """A client of the process that runs now."""
        headers = {"Authorization": f"Bearer {self.tokens.token(tenant, lifetime_seconds=3600)}"}
        return httpx2.Client(base_url=self.base_url, headers=headers, timeout=60)

    def kill(self) -> None:
        """`kill -9`, and wait until the process is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def children(self) -> list[int]:
        """Processes that build an index in this home, whoever started them."""
        ours = os.fsencode(self.data)
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it ended meanwhile
                words = entry.read_bytes().split(b"\0")
                if b"retriever.stores.edge.index_worker" in words and any(word.startswith(ours) for word in words):
                    found.append(int(entry.parent.name))
        return found

    def last_words(self) -> str:
        """The end of the log."""
        return (self.folder / "retriever.log").read_text(errors="replace")[-2000:]
