"""Which model it was that answered under a name: said in the headers of each answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MODEL_HEADER = "X-Groundwork-Model"
DIGEST_HEADER = "X-Groundwork-Model-Digest"
ADAPTER_HEADER = "X-Groundwork-Model-Adapter"
FINGERPRINT_HEADER = "X-Groundwork-Model-Fingerprint"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What is known of the model that gave an answer, as `ModelInfo` has it."""

    model: str | None = None
    """Its name, which may be another than the one that was asked for: that of a route, or `default`."""
    digest: str | None = None
    fingerprint: str | None = None
    adapter: str | None = None
    """Its LoRA adapters, where it has some."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> ModelVersion:
        """From an answer's headers."""
        names = (MODEL_HEADER, DIGEST_HEADER, FINGERPRINT_HEADER, ADAPTER_HEADER)
        return cls(*(headers.get(name) for name in names))

    def headers(self) -> dict[str, str]:
        """The reverse: what is known."""
        said = {
            MODEL_HEADER: self.model,
            DIGEST_HEADER: self.digest,
            FINGERPRINT_HEADER: self.fingerprint,
            ADAPTER_HEADER: self.adapter,
        }
        return {name: value for name, value in said.items() if value is not None}
