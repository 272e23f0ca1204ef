"""What can be wrong with an archive that a caller sends, one class a fact; each message says what to do."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest, NotReady, PayloadTooLarge, QueueFull, UnsupportedMediaType


class ArchiveDamaged(InvalidRequest):
    """The archive is not one that a backup gave."""

    code = "archive_damaged"

    def __init__(self, why: str) -> None:
        super().__init__(f"The archive can't be restored: {why}. Send one that GET …/documents/{{id}}/backup gave.")


class UnsupportedArchive(UnsupportedMediaType):
    """The body is not said to be an archive."""

    def __init__(self) -> None:
        super().__init__("Send the archive itself with Content-Type: application/zip, as GET …/backup gave it.")


class ArchiveTooLarge(PayloadTooLarge):
    """The archive would unpack to too much, or takes too long."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The archive {why}. Upload the original instead, or let the operator raise the limit.")


class RestoresBusy(QueueFull):
    """Archives are taken apart one at a time, and enough of them wait."""

    def __init__(self) -> None:
        super().__init__(
            "Other archives are being restored, and no more may wait. Send this one again in a moment.", retry_after=5
        )


class RestoreBrokenOff(NotReady):
    """The machine ended the archive's child, or had none to give."""

    code = "restore_broken_off"

    def __init__(self) -> None:
        super().__init__("The archive could not be unpacked now. Nothing of it was kept; send it again.", retry_after=5)
