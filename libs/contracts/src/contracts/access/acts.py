"""What an inner service did for somebody that belongs into the audit log, which the gateway keeps."""

from __future__ import annotations

import json
from typing import Any

from contracts.core.base import Reply

ACT_HEADER = "Groundwork-Act"
"""Of a service's answer to the gateway, never of the gateway's own: an `Act` as JSON in ASCII."""


class Act(Reply):
    """Something that was done: `prompt.label` on the prompt `greeting`, from version 1 to 2."""

    action: str
    subject: str
    detail: dict[str, Any]
    """Without secrets."""

    def header(self) -> dict[str, str]:
        """As an answer says it."""
        return {ACT_HEADER: json.dumps(self.model_dump(mode="json"))}
