"""Why messages can't be kept."""

from __future__ import annotations

from servicekit.core.errors import Conflict, Unprocessable


class MessagesOfRuns(Conflict):
    """Messages that a run said can't be replaced: its record would no longer be true."""

    code = "messages_of_runs"

    def __init__(self, position: int) -> None:
        super().__init__(
            f"From position {position} on there are messages of runs, which stay. Only messages that were added can be "
            "replaced; leave position out to add at the end.",
            param="position",
        )


class PositionBeyondEnd(Conflict):
    """Messages would leave a gap."""

    code = "position_beyond_end"

    def __init__(self, position: int, messages: int) -> None:
        super().__init__(
            f"The thread has {messages:,} messages, so nothing can stand at position {position:,}. Read its history, "
            "and add at its end.",
            param="position",
        )


class ThreadChanged(Conflict):
    """Somebody else has added messages, or replaced some."""

    code = "thread_changed"

    def __init__(self, known: int, revision: int) -> None:
        super().__init__(
            f"The thread is at revision {revision}, not {known}: it went on elsewhere. Read the thread and its history "
            "again.",
            param="known",
        )


class ThreadFull(Conflict):
    """A thread has as many messages as it may."""

    code = "thread_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"A thread holds at most {most:,} messages. Begin another one: POST /v1/threads.")


class ThreadTooLarge(Conflict):
    """A thread's messages are as large as they may be."""

    code = "thread_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A thread's messages take at most {most:,} bytes together. Begin another one: POST /v1/threads."
        )


class MetadataTooLong(Unprocessable):
    """Together with what was there it is too much."""

    code = "metadata_too_long"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A thread's metadata would be longer than {most:,} characters. Send null for fields that may go.",
            param="metadata",
        )
