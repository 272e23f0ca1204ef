"""Models that the server fetches: `client.pulls`."""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable
from typing import Any

from contracts.models.pulls import FINAL_PULL_STATUSES, ModelPull, Pull
from contracts.operations import models as operations
from groundwork.client.connection import Connection
from groundwork.client.jobs import Pause
from groundwork.client.model_sources import FREE, Kind, SourceUnclear
from groundwork.errors import ApiError, Unreachable

LOOK_SECONDS = 1.0
AWAY_SECONDS = 120.0
"""How long a server may be away while its pull is waited for."""
CREATE_SECONDS = 70.0
_FORM = re.compile(r"hf:(?P<repo>[^/@\s]+/[^/@\s]+)(/(?P<file>[^@\s]+))?(@(?P<revision>\S+))?|ollama:(?P<tag>\S+)")


class Pulls:
    """Ask for models (admin scope), look at what comes of it, end it."""

    def __init__(self, connection: Connection, pause: Pause = time.sleep) -> None:  # noqa: TID251  # a bounded wait
        self._connection = connection
        self._pause = pause

    def create(self, asked: ModelPull) -> Pull:
        """Have a model fetched and declared; while that is under way, the same again is the same job.

        `pull_from` makes what is asked.
        """
        body = asked.model_dump(mode="json", exclude_unset=True)
        return self._connection.model(operations.PULL_MODEL, json=body, timeout=CREATE_SECONDS)

    def list(self) -> builtins.list[Pull]:
        """The last ones, the newest first."""
        return self._connection.model(operations.LIST_PULLS).data

    def get(self, pull_id: str) -> Pull:
        """One as it is now."""
        return self._connection.model(operations.GET_PULL, pull_id)

    def cancel(self, pull_id: str) -> Pull:
        """End one."""
        return self._connection.model(operations.CANCEL_PULL, pull_id)

    def wait(self, pull: Pull, on_change: Callable[[Pull], None] = lambda _: None) -> Pull:
        """The pull once it is over, however long it takes. A server that restarts is waited for."""
        away = 0.0
        while pull.status not in FINAL_PULL_STATUSES:
            on_change(pull)
            self._pause(LOOK_SECONDS)
            try:
                pull, away = self.get(pull.id), 0.0
            except (Unreachable, ApiError) as error:
                away += LOOK_SECONDS
                if away > AWAY_SECONDS or (isinstance(error, ApiError) and error.status < 500):
                    raise
        return pull


def pull_from(
    name: str,
    place: str,
    *,
    kind: Kind | None = None,
    url: str | None = None,
    sha256: str | None = None,
    context_length: int | None = None,
    dimensions: int | None = None,
    default: bool | None = None,
) -> ModelPull:
    """What is asked for a model at `hf:org/name[/file.gguf][@revision]` or `ollama:tag`; raises `SourceUnclear`.

    `url`: of the Ollama server. `context_length`: tokens that it reads.
    """
    found = _FORM.fullmatch(place)
    if found is None:
        raise SourceUnclear(f"'{place}' is neither hf:org/name[/file.gguf][@revision] nor ollama:tag.")
    source: dict[str, Any] = {"ollama": found["tag"], "base_url": url}
    if found["tag"] is None:
        source = {"huggingface": found["repo"], "file": found["file"], "revision": found["revision"], "sha256": sha256}
    kind = kind or ("embedding" if found["tag"] is None and found["file"] is None else "chat")
    sizes = {"context_length" if kind == "chat" else "max_input_tokens": context_length}
    if kind == "embedding":
        if dimensions is None:
            raise SourceUnclear("Say how long the vectors are: --dimensions 768, for instance.")
        sizes = {"max_input_tokens": context_length or 512, "dimensions": dimensions}
    price = FREE if kind == "chat" else {"prompt_usd_per_million": 0}
    said = {"kind": kind, **sizes, "default": default, "price": price}
    return ModelPull.model_validate(
        {
            "model": name,
            "source": {key: value for key, value in source.items() if value is not None},
            **{key: value for key, value in said.items() if value is not None},
        }
    )
