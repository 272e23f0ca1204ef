"""A label of metrics whose values callers make: bounded, however many there are."""

from __future__ import annotations

OTHER = "other"


class BoundedLabels:
    """The values that this process has met first, as they are, and `other` for all that came when there were `most`.

    A value is never given up again: a counter that moved from one label to another would tell of what was not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def of(self, value: str) -> str:
        """The label of a value."""
        label = self._known.get(value)
        if label is None:
            if len(self._known) >= self._most:
                return OTHER
            label = self._known[value] = value
        return label
