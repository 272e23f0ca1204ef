"""A home: the folder that holds everything of one installation, readable by its owner only."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from groundwork.stack.home.errors import Busy

MAX_SOCKET_PATH = 90
"""Systems allow about 104 bytes; supervisord appends its pid while it makes the socket."""


class RunState(BaseModel):
    """What is true while the processes of a home run; `run/state.json`."""

    run_id: str
    """Carried by every process in its environment, so that none is taken for another's."""
    started_at: datetime
    ports: dict[str, int]
    socket: Path
    redis: bool
    """Whether this home runs its own Valkey."""
    certificate: Path | None = None
    """What the gateway is served with, where that is HTTPS."""


@dataclass(frozen=True)
class Home:
    """The folder's layout. Paths are absolute."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> Home:
        """The home in a folder, which need not exist yet."""
        return cls(folder.expanduser().resolve())

    @property
    def keys(self) -> Path:
        """Secrets."""
        return self.root / "keys"

    @property
    def admin_key_file(self) -> Path:
        """The first admin key, written by the gateway at its first start."""
        return self.keys / "admin.key"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What is needed while running, and made anew at each start."""
        return self.root / "run"

    @property
    def settings_file(self) -> Path:
        """The home's own settings, `NAME=value` lines."""
        return self.root / "config.env"

    @property
    def backups(self) -> Path:
        """The backups that are made before upgrades, a folder each."""
        return self.root / "backups"

    @property
    def restoring_file(self) -> Path:
        """There while a backup is being restored into this home."""
        return self.root / "restoring"

    @property
    def state_file(self) -> Path:
        """The `RunState`."""
        return self.run / "state.json"

    @property
    def supervisor_pid_file(self) -> Path:
        """Written by supervisord."""
        return self.run / "supervisord.pid"

    @property
    def supervisor_settings(self) -> Path:
        """Read by supervisord."""
        return self.run / "supervisord.conf"

    def data(self, service: str) -> Path:
        """What one service keeps."""
        return self.root / "data" / service

    def log_file(self, program: str) -> Path:
        """The log of one process."""
        return self.logs / f"{program}.log"

    def create(self) -> None:
        """Make what is missing; owner-only, existing homes included."""
        for folder in (self.root, self.keys, self.logs, self.run, self.root / "data"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)
        self.keys.chmod(0o700)

    def secret(self, name: str) -> str:
        """A random secret, made at first use and kept in `keys/<name>`."""
        file = self.keys / name
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return file.read_text().strip()

    def socket_path(self) -> Path:
        """Where supervisord's socket goes: in `run/`, or in a private temporary folder where that is too long."""
        path = self.run / "supervisor.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        return Path(tempfile.mkdtemp(prefix="groundwork-", dir="/tmp")) / "supervisor.sock"  # short on purpose

    def read_state(self) -> RunState | None:
        """The state of the last start, if it was not ended by `down`."""
        try:
            return RunState.model_validate_json(self.state_file.read_bytes())
        except (OSError, ValidationError):
            return None

    def write_state(self, state: RunState) -> None:
        """Remember what runs."""
        write_private(self.state_file, json.dumps(json.loads(state.model_dump_json()), indent=2) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One `up` or `down` at a time; raises `Busy`."""
        with (self.run / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(self.root) from None
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(temporary).replace(path)
