"""What the lab needs to tune a model."""

from __future__ import annotations

from typing import Annotated

from fastapi.responses import FileResponse

from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER
from inference.api.access import Deps
from inference.errors import ModelNotFound
from inference.tuned.weights import weights_of
from servicekit.auth.delegation import Caller, require
from servicekit.web.router import Router

router = Router(tags=["tuning"])
Tuner = Annotated[Caller, require("inference", "evaluations:write")]


@router.get("/v1/models/{model}/weights", response_class=FileResponse)
async def get_weights(model: str, caller: Tuner, deps: Deps) -> FileResponse:
    """The GGUF file that a chat model is served from, which a key that may use the model may have tuned."""
    served = deps.models.chat(model)
    if not caller.delegation.allows_model(served.name):
        raise ModelNotFound(model, "chat")
    found = await weights_of(served)
    headers = {DIGEST_HEADER: found.digest, MODEL_HEADER: served.name}
    return FileResponse(found.path, headers=headers, media_type="application/octet-stream")
