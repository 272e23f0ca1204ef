"""The facts that end a pull, or the call that asks for one."""

from __future__ import annotations

from servicekit.core.errors import (
    Conflict,
    DiskFull,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotReady,
    PayloadTooLarge,
    QueueFull,
)


def gigabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1e9:,.2f} GB" if size >= 5_000_000 else f"{size:,} bytes"


class PullsForbidden(Forbidden):
    """The operator wants none."""

    code = "pulls_forbidden"

    def __init__(self) -> None:
        super().__init__("No models are pulled here: INFERENCE_PULL_BYTES is 0, and only its operator can change that.")


class PullNotFound(NotFound):
    """No such job."""

    code = "pull_not_found"

    def __init__(self, pull_id: str) -> None:
        super().__init__(f"There is no pull '{pull_id[:128]}'. GET /v1/models/pull lists the last ones.", param="id")


class PullFinished(Conflict):
    """A job that is over can't be cancelled."""

    code = "pull_finished"

    def __init__(self, pull_id: str, status: str) -> None:
        super().__init__(f"The pull '{pull_id}' is {status} already. DELETE /v1/models/{{id}} removes a model.")


class PullRunning(Conflict):
    """Something else is being fetched for the name."""

    code = "pull_running"

    def __init__(self, model: str, pull_id: str) -> None:
        super().__init__(
            f"Another pull for '{model}' is under way, '{pull_id}'. Wait for it, cancel it by "
            f"DELETE /v1/models/pull/{pull_id}, or choose another name.",
            param="model",
        )


class TooManyPulls(QueueFull):
    """As many wait as may."""

    code = "too_many_pulls"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} pulls are under way, and no more may be. Wait for one of them.", retry_after=60)


class SourceNotFound(InvalidRequest):
    """There is nothing to fetch where it should be."""

    code = "source_not_found"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param}: {why}", param=param)


class SourceRefused(InvalidRequest):
    """The Hub does not give it to this service, or does not say whether it exists."""

    code = "source_refused"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The Hub does not give {name} to this service: there is no such model, or it is private or gated. Correct "
            "the name; for a gated model accept its conditions there, set HF_TOKEN where inference runs, and start "
            "inference again.",
            param="source.huggingface",
        )


class PullTooLarge(PayloadTooLarge):
    """More than the operator allows."""

    code = "pull_too_large"

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"It takes {gigabytes(size)}, and INFERENCE_PULL_BYTES allows {gigabytes(most)} for one pull. Choose a "
            "smaller file, or have the operator allow more.",
            param="source",
        )


class NoRoom(DiskFull):
    """The disk has not so much room beside its reserve."""

    def __init__(self, size: int, free: int) -> None:
        super().__init__()
        self.message = (
            f"It needs {gigabytes(size)} more, and the disk of inference's models has {gigabytes(max(0, free))} beside "
            "its reserve (INFERENCE_DISK_RESERVE_BYTES). Make room there, and ask again."
        )


class OtherFile(Conflict):
    """What came is not what was to come."""

    code = "model_file_changed"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} is not the file that was meant: {why}.", param="source")


class FolderUnwritable(Conflict):
    """Nothing can be kept in the folder of models."""

    code = "models_folder_unwritable"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The folder of pulled models can't be written ({why}). Its operator names another by INFERENCE_HUB_DIR."
        )


class HubAway(NotReady):
    """The Hub can't be reached, or broke off."""

    code = "hub_unreachable"

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(
            f"The Hub {why}. Look at the network of inference's host, and at INFERENCE_HUB_URL.",
            retry_after=retry_after or 5,
        )


class OllamaAway(NotReady):
    """The Ollama server can't be reached, or broke off."""

    code = "ollama_unreachable"

    def __init__(self, base_url: str, why: str) -> None:
        super().__init__(
            f"The Ollama server at {base_url} {why}. Start it, or say where it is: `base_url`, which is --url of "
            "`groundwork model pull`.",
            retry_after=5,
        )


class OllamaFailed(NotReady):
    """The Ollama server broke on this pull, maybe only for now."""

    code = "ollama_failed"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Ollama could not pull {name}: {why}. It goes on where it was when it is asked again.")


class OllamaRefused(InvalidRequest):
    """The Ollama server says why it can't."""

    code = "ollama_refused"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Ollama can't pull {name}: {why}", param="source.ollama")
