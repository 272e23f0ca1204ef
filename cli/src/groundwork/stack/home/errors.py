"""What can go wrong with a home, each with what to do."""

from __future__ import annotations

from groundwork.errors import GroundworkError


class StackError(GroundworkError):
    """Base of this package's errors."""


class PortTaken(StackError):
    """Something else listens on the port that was asked for."""

    def __init__(self, port: int, owner: str, name: str) -> None:
        setting = "GROUNDWORK_PORT or `groundwork up --port`" if name == "gateway" else f"{name.upper()}'s own setting"
        super().__init__(f"Port {port} is taken by {owner}. Stop that, or choose another port with {setting}.")


class NoRoom(StackError):
    """The disk is too full for a start."""

    def __init__(self, folder: object, free: int, needed: int) -> None:
        super().__init__(
            f"The disk of {folder} has {free / 1e6:.0f} MB free, and a start needs {needed / 1e6:.0f} MB. Free some "
            "room there, or choose another home (--home or GROUNDWORK_HOME)."
        )


class DatabaseUnusable(StackError):
    """A service's database is of a later version, or damaged."""

    def __init__(self, service: str, why: str, mend: str) -> None:
        super().__init__(f"The database of {service} can't be used: {why}. Nothing was started or changed. {mend}")


class DataTooNew(DatabaseUnusable):
    """A service's database was migrated by a newer version."""

    def __init__(self, needs: str, mend: str) -> None:
        StackError.__init__(self, f"{needs}: {mend}. Nothing was started or changed.")


class NoRoomForBackup(StackError):
    """The disk has no room for the backup that is made before an upgrade."""

    def __init__(self, folder: object, free: int, needed: int) -> None:
        super().__init__(
            f"The backup before the upgrade needs {needed / 1e6:.0f} MB, and the disk of {folder} has "
            f"{free / 1e6:.0f} MB free. Free some room there, or back up elsewhere with the older version and run "
            "`groundwork upgrade --without-backup`."
        )


class NotRunning(StackError):
    """There is no running installation in this home."""

    def __init__(self, home: object) -> None:
        super().__init__(
            f"Nothing runs in {home}. Start it with `groundwork up`, "
            "or name another home (--home) or server (--base-url and --api-key)."
        )


class Unsupervised(NotRunning):
    """The supervisord of a home was ended by somebody else, and its processes serve on."""

    def __init__(self, home: object, processes: int) -> None:
        StackError.__init__(
            self,
            f"The supervisord of {home} is gone, but {processes} of its processes still serve, and nobody starts them "
            "again if they end. `groundwork up` stops them and starts anew; `groundwork down` stops them.",
        )


class Busy(StackError):
    """Another `up` or `down` is at work on this home."""

    def __init__(self, home: object) -> None:
        super().__init__(f"Another `groundwork up` or `down` is at work in {home}. Wait for it to end.")


class StartFailed(StackError):
    """A process did not become ready. `log` holds the last lines of its log, `mend` what may help."""

    def __init__(self, program: str, why: str, log: str, log_file: object, mend: str = "") -> None:
        super().__init__(f"{program} {why}. Everything was stopped again; its whole log is {log_file}. {mend}".rstrip())
        self.program = program
        self.log = log


class SupervisorFailed(StackError):
    """supervisord did not start or does not answer."""


class ConfigurationBroken(StackError):
    """A file with settings can't be read, or a setting that `up` needs makes no sense."""


class FileThere(StackError):
    """A backup would overwrite a file."""

    def __init__(self, file: object) -> None:
        super().__init__(f"'{file}' exists. A backup overwrites nothing: choose another name, or move it away.")


class BackupUnusable(StackError):
    """A file is not a whole backup."""

    def __init__(self, file: object, why: str) -> None:
        super().__init__(f"'{file}' is not a whole backup: {why}. Take another one.")


class HomeInUse(StackError):
    """A backup would be restored over something."""

    def __init__(self, home: object, why: str) -> None:
        super().__init__(
            f"{home} can't be restored into: {why}. Restoring overwrites nothing: name another home (--home)."
        )


class HomeUnfinished(StackError):
    """A restore into this home did not come to its end."""

    def __init__(self, home: object, backup: str = "FILE") -> None:
        super().__init__(
            f"A restore into {home} did not finish. Run `groundwork restore {backup}` again; it begins anew."
        )


class RestoreFailed(StackError):
    """A service could not take its part of a backup."""

    def __init__(self, service: str, lines: list[str]) -> None:
        super().__init__(f"The part of {service} could not be restored: {' '.join(lines) or 'it said nothing.'}")
