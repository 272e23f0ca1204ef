"""What the lab and inference say to each other of models that are tuned, and what is told of those."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.core.base import Line, Reply, Request
from contracts.core.values import Passed

DIGEST_HEADER = "Groundwork-Digest"
"""`sha256:…` of the file that an answer is."""
MODEL_HEADER = "Groundwork-Model"
"""The name of the model that it is of, where `default` was asked for."""
PLAIN_TENANT = "default"
"""The tenant whose tuned models bear no tenant in their names: most installations have no other."""
PIECE_BYTES = 1_000_000
MOST_PIECES = 1_100
"""Of an adapter, whose bytes come in pieces of `PIECE_BYTES`."""
MOST_MATRICES_BYTES = 4 * 1024 * 1024
"""Of all matrices beside an encoder's layers as base64: rank 32 beside the 36 layers of all-MiniLM-L6-v2 are 3.5 MB."""
JobId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
Suffix = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""What a tuned model is called beside the one that it began as."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Stage = Literal["candidate", "published"]
"""`candidate`: it is looked at by the job that made it; nobody sees it, or can ask it."""


def tuned_name(base: str, tenant: str, suffix: str) -> str:
    """`BASE+SUFFIX`, of another tenant than `default` `BASE+TENANT.SUFFIX`: neither a tenant nor a suffix has a point
    or a plus in it, so that no two tenants' models can have one name."""
    return f"{base}+{suffix}" if tenant == PLAIN_TENANT else f"{base}+{tenant}.{suffix}"


class TunedFrom(Reply):
    """What a tuned model is, in `GET /v1/models/{id}`."""

    parent: str
    """The model that it began as."""
    parent_digest: str | None = None
    """`sha256:…` of that one's files."""
    job: str
    """The tuning job."""
    digest: str
    """`sha256:…` of what was learnt."""
    method: str
    training_set: str
    """`set:NAME@VERSION`."""
    verdict: str | None = None
    """In words, over the questions that were held out."""
    figures: dict[str, float] = Field(default_factory=dict)
    stage: Stage = "published"


class TunedModel(Request):
    """Body of inference's `PUT /v1/tuned-models/{suffix}`: only the lab sends it."""

    parent: Annotated[Line, StringConstraints(min_length=1, max_length=128)]
    parent_digest: Sha256 | None = None
    """What was learnt fits no other."""
    job: JobId
    digest: Sha256
    """Of the adapter, whose pieces came before, of the head or of the projection."""
    head: dict[str, Passed] | None = None
    """Of a classification, all that was learnt."""
    projection: dict[str, Passed] | None = None
    """And of an embedding model."""
    lora: dict[str, Passed] | None = None
    """The same where it was learnt beside the layers of that model's encoder."""
    correction: dict[str, Passed] | None = None
    """And of what is learnt over a reading model."""
    corrects: Literal["reading", "rerank"] = "reading"
    """What a correction is for: a reading model, or one that ranks by its chances."""
    method: Annotated[Line, StringConstraints(min_length=1, max_length=40)]
    training_set: Annotated[Line, StringConstraints(min_length=1, max_length=100)]
    verdict: Annotated[Line, StringConstraints(max_length=500)] | None = None
    figures: dict[str, float] = Field(default_factory=dict, max_length=60)
    stage: Stage = "published"
