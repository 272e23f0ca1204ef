"""The embedding model that something was learnt on: it works with that one's vectors alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from inference.errors import ModelNotFound, ModelNotReady
from servicekit.core.errors import ServiceError


class Origin(Protocol):
    """An embedding model as it is served now."""

    @property
    def digest(self) -> str | None:
        """Of its files; None where or while nobody knows them."""

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""

    @property
    def is_remote(self) -> bool:
        """Whether a server has its files, so that their digest will never be known."""


class Learnt(Protocol):
    """What was learnt on it."""

    @property
    def embedding_model(self) -> str:
        """Its name."""

    @property
    def embedding_digest(self) -> str | None:
        """Its digest then."""


AnyOrigin = TypeVar("AnyOrigin", bound=Origin)


def find_origin(
    name: str,
    learnt: Learnt,
    width: int,
    find: Callable[[str], AnyOrigin],
    unusable: Callable[[str, str], ServiceError],
) -> AnyOrigin:
    """The model of that name, if it is the one that this was learnt on; one object for the whole of a call, so that
    nothing takes its place between its digest and its vectors.

    `name` is of what was learnt, `width` the numbers of a vector that it takes. Raises `unusable`, or `ModelNotReady`
    where it can't be told yet.
    """
    base, digest = learnt.embedding_model, learnt.embedding_digest
    try:
        found = find(base)
    except ModelNotFound:
        raise unusable(name, f"its embedding model '{base}' is not there any more") from None
    if digest is not None and found.is_remote:
        raise unusable(name, f"it was trained on files of '{base}', which a server has now: unknown ones")
    if digest is not None and found.digest is None:
        raise ModelNotReady(name, f"the files of its embedding model '{base}' are not known yet")
    if digest is not None and found.digest != digest:
        trained, now = f"the vectors of '{base}' with the digest {digest}", f"the digest {found.digest}"
        raise unusable(name, f"it was trained on {trained}, and '{base}' has {now} now")
    if width != found.dimensions:
        trained, now = f"vectors of {width} numbers", f"{found.dimensions}"
        raise unusable(name, f"it was trained on {trained}, and '{base}' gives {now}")
    return found
