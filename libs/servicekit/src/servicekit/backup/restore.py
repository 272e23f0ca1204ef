"""What `python -m <service>.restore FILE` does in every service."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from servicekit.backup.file import BackupDamaged, BackupFile
from servicekit.backup.tables import BackupTooNew, NotEmpty
from servicekit.core.settings import ServiceSettings
from servicekit.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)
CHECKED = "--checked"
"""Says that the caller has read the whole file and found it undamaged."""


def run(settings: ServiceSettings, service: str, restore: Callable[[BackupFile], Coroutine[Any, Any, None]]) -> int:
    """Restore the file that the command line names; returns the exit status, with a sentence where it is not 0."""
    configure_logging(settings, service)
    files = [word for word in sys.argv[1:] if word != CHECKED]
    if len(files) != 1:
        return _refused(f"usage: python -m {service}.restore FILE")
    backup = BackupFile(Path(files[0]))
    try:
        if CHECKED not in sys.argv:
            backup.check()
        asyncio.run(restore(backup))
    except BackupDamaged as error:
        return _refused(f"{backup.path} is not a whole backup: {error}.")
    except PermissionError as error:
        return _refused(f"User {os.geteuid()} may not open {error.filename or backup.path}: let that user read it.")
    except (NotEmpty, BackupTooNew, OSError) as error:
        return _refused(str(error))
    log.info("restored", file=str(backup.path))
    return 0


def _refused(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
