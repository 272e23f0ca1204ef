"""What can go wrong, as exceptions whose text is one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path


class GroundworkError(Exception):
    """Base of everything that this package raises on purpose."""


class ApiError(GroundworkError):
    """The server answered with an error envelope (or, from something else than Groundwork, with a bare status)."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,  # noqa: A002  # the envelope's word
        code: str,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """HTTP status; 200 when the error came in the middle of a stream."""
        self.type = type
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds to wait before another try, where the server said so."""


class Unreachable(GroundworkError):
    """No answer: nothing listens there, the connection broke, or the time ran out."""


class NoSuchName(GroundworkError):
    """Nothing can be called so: a call would go to another path, so it is not made."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} '{name}'.")
        self.what = what
        self.name = name


class UnexpectedAnswer(GroundworkError):
    """The answer is not what the API's contract says; is something else listening there?"""


class WaitTimeout(GroundworkError):
    """What was waited for did not happen within the deadline. It may still happen."""


class BackupDamaged(GroundworkError):
    """The file is not a backup of a collection."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"'{file}' is not a whole backup as `groundwork backup` writes it ({why}).")


class BackupExists(GroundworkError):
    """A backup never replaces a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"There is a file '{file}' already. Name another, or remove it.")


class JobFailed(GroundworkError):
    """A job that was waited for ended as `failed` or `cancelled`. `code` is the job's own reason."""

    def __init__(self, message: str, *, code: str, job_id: str) -> None:
        super().__init__(message)
        self.code = code
        self.job_id = job_id


class QuestionsInvalid(GroundworkError):
    """A file of questions can't be used; the text names the file, the line and what it should be."""
