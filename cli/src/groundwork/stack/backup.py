"""A backup of everything, and a home made of one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from groundwork.client import Groundwork
from groundwork.stack.configuration.environment import Wiring, own_redis_url, process_environment
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import BackupUnusable, FileThere, HomeInUse, HomeUnfinished, RestoreFailed
from groundwork.stack.home.folder import Home
from groundwork.stack.home.ports import NAMES
from groundwork.stack.lifecycle import running_state
from groundwork.stack.upgrades.put_back import unfinished
from servicekit.backup.file import About, BackupDamaged, BackupFile
from servicekit.backup.restore import CHECKED

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
KEPT = frozenset(("config.env", "models.yaml", "agents", "restoring"))
"""What a home that is restored into may hold already: the operator's own settings, and an unfinished restore."""


def back_up(client: Groundwork, file: Path) -> About:
    """Write a backup of everything to a new file, for its owner only; it is there once it is known to be whole.

    Raises `FileThere`, `BackupUnusable`, or what the client raises.
    """
    if file.exists():
        raise FileThere(file)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            client.back_up(stream)
            stream.flush()
            os.fsync(stream.fileno())
        about = checked(unfinished)
        os.link(unfinished, file)  # unlike a rename, never over another file
        return about
    finally:
        unfinished.unlink()


def checked(file: Path) -> About:
    """What a backup says of itself, if it is whole; raises `BackupUnusable`."""
    try:
        return BackupFile(file).check()
    except BackupDamaged as error:
        raise BackupUnusable(file, str(error)) from None


def restore(home: Home, file: Path, overrides: Overrides, progress: Callable[[str], None] = lambda _: None) -> About:
    """Make a home of a backup. It holds nothing yet, or an unfinished restore, which begins anew.

    A home whose restore did not finish can't be started. Raises `HomeInUse`, `BackupUnusable` or `RestoreFailed`.
    """
    _require_empty(home)
    progress("checking the file")
    about = checked(file)
    home.create()
    home.restoring_file.write_text(f"{file.resolve()}\n")
    ports = dict.fromkeys(NAMES, 0)
    wiring = Wiring(home, ports, overrides.get("REDIS_URL") or own_redis_url(home, 0), "restore")
    for service in SERVICES:
        progress(service)
        _restore_service(service, file, process_environment(service, wiring, overrides))
    home.restoring_file.unlink()
    return about


def _require_empty(home: Home) -> None:
    if running_state(home) is not None:
        raise HomeInUse(home.root, "something runs in it")
    if (folder := unfinished(home)) is not None:
        raise HomeUnfinished(home.root, str(folder))
    if home.restoring_file.exists():
        for service in SERVICES:
            shutil.rmtree(home.data(service), ignore_errors=True)
        return
    there = [place.name for place in home.root.iterdir() if place.name not in KEPT] if home.root.is_dir() else []
    kept = [name for name in there if name not in ("logs", "run") and _holds_files(home.root / name)]
    if kept:
        raise HomeInUse(home.root, f"it holds {', '.join(sorted(kept))}")


def _restore_service(service: str, file: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", f"{service}.restore", str(file.resolve()), CHECKED]
    done = subprocess.run(  # noqa: S603  # our own interpreter and module
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RestoreFailed(service, (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:])


def _holds_files(place: Path) -> bool:
    return place.is_file() or any(path.is_file() for path in place.rglob("*"))
