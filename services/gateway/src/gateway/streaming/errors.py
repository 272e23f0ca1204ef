"""How a stream can fail."""

from __future__ import annotations

from servicekit.core.errors import UpstreamFailed


class StreamBrokenOff(UpstreamFailed):
    """A stream ended without its end."""

    code = "stream_broken_off"

    def __init__(self) -> None:
        super().__init__("The answer broke off before its end. What has arrived is not complete; ask again.")
