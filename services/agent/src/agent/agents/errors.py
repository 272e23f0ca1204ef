"""What can be wrong with an agent and the model that it is to run on."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest, Unprocessable


class ModelTooWeak(InvalidRequest):
    """An agent with tools on a model that is too small to choose them."""

    code = "model_too_weak"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model[:100]}' is too small to choose an agent's tools; it only runs agents that search and "
            "read documents. Connect a larger one (`groundwork model add NAME --openai MODEL --default`, or with "
            "--ollama), or save the agent with `allow_weak_model: true`.",
            param="model",
        )


class ToolNotCalled(Unprocessable):
    """A model answers in words where the agent's `tool_choice` wants a call."""

    code = "tool_not_called"

    def __init__(self, model: str, choice: str) -> None:
        wanted = "a tool" if choice == "required" else f"the tool '{choice}'"
        super().__init__(
            f"The model '{model[:100]}' did not call {wanted}, though the agent's `tool_choice` asks for it. Choose a "
            "model that calls tools, or set `tool_choice` to `auto`.",
        )
