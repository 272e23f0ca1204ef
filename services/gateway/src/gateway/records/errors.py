"""What can be wrong with a question for records."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest, NotFound


class RecordNotFound(NotFound):
    """There is no such record, or it is somebody else's."""

    code = "record_not_found"

    def __init__(self, record_id: str) -> None:
        super().__init__(
            f"There is no record '{record_id[:200]}'. It may be too old, or the answer was not recorded: see `records` "
            "of its key and tenant."
        )


class RecordHeaderUnclear(InvalidRequest):
    """`X-Groundwork-Record` can't be told apart from a misspelt one."""

    code = "record_header_unclear"

    def __init__(self, value: str) -> None:
        super().__init__(
            f"'X-Groundwork-Record: {value[:50]}' means nothing. Send `no` for a call that is to leave no record, or "
            "leave the header out."
        )
