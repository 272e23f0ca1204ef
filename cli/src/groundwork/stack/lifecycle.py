"""Starting and stopping a home."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from groundwork.stack.checks.databases import check_databases
from groundwork.stack.configuration.certificates import certificate_file
from groundwork.stack.configuration.environment import (
    PORT_SETTINGS,
    Wiring,
    own_redis_url,
    preload_environment,
    service_settings,
)
from groundwork.stack.configuration.files import check_settings
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home import ports as port_choice
from groundwork.stack.home.backups import AutomaticBackup
from groundwork.stack.home.errors import (
    HomeInUse,
    HomeUnfinished,
    NoRoom,
    NotRunning,
    StartFailed,
    SupervisorFailed,
    Unsupervised,
)
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.supervision.processes import end, marked, supervisor_of
from groundwork.stack.supervision.programs import STOP_SECONDS, programs, write_run_files
from groundwork.stack.supervision.readiness import READY_SECONDS, Progress, wait_until_ready
from groundwork.stack.supervision.socket_activation import listening
from groundwork.stack.supervision.supervisord import Supervisor, start_supervisor
from groundwork.stack.upgrades.automatic_backup import back_up, pending
from groundwork.stack.upgrades.put_back import put_back, unfinished

STOP_DEADLINE_SECONDS = 2 * STOP_SECONDS + 5
"""The services stop together, then Valkey."""
_INTERVAL_SECONDS = 0.1
NEW_HOME_BYTES = 200_000_000
"""Databases, Valkey's file and an empty index, and what services leave alone (`…_DISK_RESERVE_BYTES`)."""
START_BYTES = 32_000_000
"""What a home that has all that writes while it starts."""


@dataclass(frozen=True)
class Running:
    """A home that runs."""

    state: RunState
    already: bool
    """Whether it ran before the call."""
    seconds: float
    """From the call until everything was ready."""
    backup: AutomaticBackup | None = None
    """Made before the start, where it migrated a database."""

    @property
    def base_url(self) -> str:
        """Where the gateway listens."""
        return base_url(self.state)


def base_url(state: RunState) -> str:
    """Where the gateway of a running home listens."""
    return f"{'https' if state.certificate else 'http'}://127.0.0.1:{state.ports['gateway']}"


def running_state(home: Home) -> RunState | None:
    """The state of a home whose supervisord runs, otherwise nothing."""
    return home.read_state() if supervisor_of(home) is not None else None


def require_running(home: Home) -> RunState:
    """The same; raises `NotRunning`, or `Unsupervised` where only its processes are left."""
    state = running_state(home)
    if state is not None:
        return state
    left = home.read_state()
    serving = marked(left.run_id) if left is not None else []
    raise Unsupervised(home.root, len(serving)) if serving else NotRunning(home.root)


def up(
    home: Home,
    *,
    port: int,
    overrides: Overrides | None = None,
    timeout: float = READY_SECONDS,
    progress: Progress | None = None,
    with_backup: bool = True,
) -> Running:
    """Start a home in the background and wait until every process is ready; a running one is only waited for.

    A home whose databases the start migrates is backed up before, unless that is not wanted. Raises `NoRoom`,
    `NoRoomForBackup`, `DatabaseUnusable`, `PortTaken`, `Busy`, `HomeUnfinished`, `SupervisorFailed`, or `StartFailed`
    after stopping everything again.
    """
    began = time.monotonic()
    if home.restoring_file.exists():
        raise HomeUnfinished(home.root, str(unfinished(home) or "FILE"))
    check_room(home)
    home.create()
    with home.locked():
        state = running_state(home)
        already, backup = state is not None, None
        if state is None:
            overrides = overrides or Overrides.read(home)
            check_databases(home, overrides)
            _clear(home)
            if with_backup and pending(home, overrides):
                backup = back_up(home, overrides)
            state = _start(home, port, overrides)
        try:
            wait_until_ready(
                home,
                programs(home, with_valkey=state.redis),
                state,
                Supervisor(state.socket),
                timeout=timeout,
                progress=progress,
            )
        except (StartFailed, KeyboardInterrupt):
            _stop(home, state)
            raise
        return Running(state, already, time.monotonic() - began, backup)


def restore_backup(
    home: Home, folder: Path, overrides: Overrides | None = None
) -> tuple[AutomaticBackup, AutomaticBackup | None]:
    """Put an automatic backup back into its home; what was there becomes a backup, too. See `put_back`.

    Raises `HomeInUse` where something runs, and `Busy`.
    """
    home.create()
    with home.locked():
        if running_state(home) is not None:
            raise HomeInUse(home.root, "something runs in it; `groundwork down` stops it")
        _clear(home)
        return put_back(home, overrides or Overrides.read(home), folder)


def check_room(home: Home) -> None:
    """Raise `NoRoom` unless the disk has what a start takes: a new home's databases and indexes, or a home's logs."""
    needed = START_BYTES if home.data("gateway").is_dir() else NEW_HOME_BYTES
    folder = next(place for place in (home.root, *home.root.parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed and running_state(home) is None:
        raise NoRoom(folder, free, needed)


def down(home: Home) -> bool:
    """Stop everything of a home: gracefully within a bound, then whatever is left. Returns whether anything ran."""
    if not home.run.is_dir():
        return False
    with home.locked():
        state = home.read_state()
        if state is None:
            return False
        ran = supervisor_of(home) is not None or bool(marked(state.run_id))
        _stop(home, state)
        return ran


def _start(home: Home, port: int, overrides: Overrides) -> RunState:
    check_settings(overrides)
    fixed = {name: overrides.port(setting) for name, setting in PORT_SETTINGS.items()}
    chosen = port_choice.choose(port, fixed)
    external = overrides.get("REDIS_URL")
    state = RunState(
        run_id=secrets.token_hex(16),
        started_at=datetime.now(UTC),
        ports=chosen,
        socket=home.socket_path(),
        redis=external is None,
        certificate=certificate_file(overrides),
    )
    wiring = Wiring(home, chosen, external or own_redis_url(home, chosen["valkey"]), state.run_id)
    host = service_settings("gateway", wiring, overrides)["GATEWAY_HOST"].text
    with listening(host, chosen["gateway"]) as held:
        write_run_files(wiring, overrides, with_valkey=state.redis, socket=state.socket, held=held)
        home.write_state(state)
        start_supervisor(home, held, preload_environment(overrides, state.run_id))
    return state


def _clear(home: Home) -> None:
    """End what an earlier start left behind when its supervisord was killed."""
    state = home.read_state()
    if state is not None:
        _stop(home, state)


def _stop(home: Home, state: RunState) -> None:
    supervisor = supervisor_of(home)
    if supervisor is not None:
        try:
            Supervisor(state.socket).shutdown()
        except SupervisorFailed:
            supervisor.terminate()
        deadline = time.monotonic() + STOP_DEADLINE_SECONDS
        pause = threading.Event()
        while supervisor_of(home) is not None and time.monotonic() < deadline:
            pause.wait(_INTERVAL_SECONDS)
        left_over = supervisor_of(home)
        if left_over is not None:
            end([left_over], grace=0)
    end(marked(state.run_id), grace=STOP_SECONDS if supervisor is None else 0)
    home.supervisor_pid_file.unlink(missing_ok=True)
    home.state_file.unlink(missing_ok=True)
    shutil.rmtree(home.run / "programs", ignore_errors=True)
    if state.socket.parent != home.run and state.socket.parent.name.startswith("groundwork-"):
        shutil.rmtree(state.socket.parent, ignore_errors=True)
