"""The encoders of embedding and reading models for who tunes them: each as one file of its own, as it is computed
with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference.catalog.models_file import Model
from inference.engines import torch_runtime
from inference.engines.sentence_transformers.pairs import PAIR_TOKENS
from inference.engines.sentence_transformers.reading_models import open_reading
from inference.engines.sentence_transformers.sentence_folders import UsualSentences, open_sentences
from inference.protocol.engines import Engine
from inference.serving.served_model import ServedModel
from inference.tuned.errors import EncoderNotTunable
from inference.tuned.weights import Weights
from servicekit.core.identifiers import new_id

ABOUT = "encoder"
"""Names what is said of the weights beside them."""
HEAD = "head."
"""Begins the names of a reading model's head."""
MOST_KEPT = 2
"""Files, of some hundred megabytes; the one that was asked for longest ago goes."""


class EncoderFiles:
    """A folder of them, made when they are asked for."""

    def __init__(self, folder: Path, locate: Callable[[Model], Path]) -> None:
        """`locate` finds a model's folder, and blocks."""
        self._folder = folder
        self._locate = locate
        self._making = asyncio.Lock()

    async def of(self, served: ServedModel[Engine]) -> Weights:
        """A model's, with its digest; raises `EncoderNotTunable`, `ModelNotReady` or `CannotLoad`."""
        if served.model.engine != "sentence-transformers":
            raise EncoderNotTunable(served.name, served.model.kind)
        await served.load()  # the prefixes of one that is loaded when it is used are not known before
        if served.version.digest is None:
            await served.identify()
        if (digest := served.version.digest) is None:
            raise EncoderNotTunable(served.name, served.model.kind)
        prefix = served.prefixes.of("query")
        limit = served.model.max_input_tokens
        name = hashlib.sha256(f"{digest} {limit} {prefix}".encode()).hexdigest()  # all that the file holds
        async with self._making:
            return await asyncio.to_thread(self._file, served.model, self._folder / f"{name}.safetensors", prefix)

    def _file(self, model: Model, file: Path, prefix: str) -> Weights:
        if not file.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(model, file, prefix)
            for old in sorted(self._folder.glob("*"), key=lambda one: one.stat().st_mtime)[:-MOST_KEPT]:
                old.unlink(missing_ok=True)
        os.utime(file)  # who asked for it has yet to read it
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return Weights(file, f"sha256:{digest}")

    def _write(self, model: Model, file: Path, prefix: str) -> None:
        from safetensors.torch import save_file

        folder = self._locate(model)
        state, about = _embedding(model, folder) if model.kind == "embedding" else _reading(model, folder)
        part = file.with_name(new_id("part"))
        try:
            whole = {name: value.detach().clone().contiguous() for name, value in state.items()}
            said = json.dumps({**about, "prefix": prefix})
            save_file(whole, part, {ABOUT: said})  # of several keys the order would be by chance
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def _embedding(model: Model, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    opened = open_sentences(folder, torch_runtime.import_engines())
    if not isinstance(opened, UsualSentences):
        raise EncoderNotTunable(model.name, model.kind)
    return opened.module.state_dict(), {
        "config": json.loads((folder / "config.json").read_text(encoding="utf-8")),
        "pooling": opened.pooling,
        "limit": model.max_input_tokens,
    }


def _reading(model: Model, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of our own form, with what makes odds of what its encoder sees."""
    limit = model.max_input_tokens or PAIR_TOKENS
    opened = open_reading(folder, torch_runtime.import_engines(), limit)
    if opened.head is None:
        raise EncoderNotTunable(model.name, model.kind)
    state = {**opened.module.state_dict(), **{f"{HEAD}{name}": value for name, value in opened.head.items()}}
    return state, {"config": opened.module.config.to_dict(), "pooling": "ends", "limit": limit}
