"""What a check of `groundwork doctor` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `mend` says what to do about it."""

    check: str
    ok: bool
    detail: str
    mend: str = ""
