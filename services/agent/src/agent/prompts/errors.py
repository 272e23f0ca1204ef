"""What can be wrong with a prompt, and with a call that uses one."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.agents.prompts import PRODUCTION
from servicekit.core.errors import Conflict, Forbidden, Internal, InvalidRequest, NotFound

MAX_NAMED = 10
"""Variables that an error lists."""


class PromptNotFound(NotFound):
    """The tenant has no prompt of this name."""

    code = "prompt_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no prompt '{name[:100]}'. GET /v1/prompts lists them.", param="model")


class PromptVersionNotFound(NotFound):
    """The prompt has no such version, or no longer."""

    code = "prompt_version_not_found"

    def __init__(self, name: str, version: int, newest: int) -> None:
        why = "was deleted" if version <= newest else f"is not there yet; the newest is {newest}"
        super().__init__(
            f"Version {version} of the prompt '{name}' {why}. GET /v1/prompts/{name}/versions lists those that are "
            "there.",
            param="version",
        )


class PromptLabelNotFound(NotFound):
    """No version of the prompt has this label."""

    code = "prompt_label_not_found"

    def __init__(self, name: str, label: str) -> None:
        super().__init__(
            f"The prompt '{name}' has no label '{label[:70]}'. PUT /v1/prompts/{name}/labels/{label[:70]} makes it; "
            f"GET /v1/prompts/{name} lists the labels.",
            param="label",
        )


class PromptVersionInUse(Conflict):
    """A label points at the version that is to go."""

    code = "prompt_version_in_use"

    def __init__(self, name: str, version: int, labels: Sequence[str]) -> None:
        super().__init__(
            f"Version {version} of the prompt '{name}' has the label {', '.join(labels[:MAX_NAMED])}. Move or delete "
            "that first."
        )


class ProductionStays(Conflict):
    """A prompt without a version in production would have no meaning."""

    code = "label_not_deletable"

    def __init__(self) -> None:
        super().__init__(f"The label '{PRODUCTION}' always points at a version. Move it, or delete the prompt.")


class LabelReserved(InvalidRequest):
    """A label that nobody moves."""

    code = "label_reserved"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"'{label}' always means the version that was saved last; choose another name for a label.", param="label"
        )


class LabelProtected(Forbidden):
    """The label is one that needs a scope of its own."""

    code = "missing_scope"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"Moving the label '{label}', or deleting a prompt that has it, needs a key with the scope "
            "'prompts:release'. Ask an admin for one, or use a label of your own.",
            param="label",
        )


class PromptNotYours(Forbidden):
    """The prompt was made by another key, or is the whole tenant's, and this one may change only its own."""

    code = "prompt_not_yours"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The prompt '{name}' was made by another key, or ships and is the whole tenant's. A key that is limited "
            "to some collections or models changes and sees only prompts that it made itself. Choose another name, or "
            "use a key without such limits.",
            param="name",
        )


class PromptRefused(InvalidRequest):
    """A prompt that could not be used."""

    code = "invalid_prompt"

    def __init__(self, why: str, param: str | None = None) -> None:
        super().__init__(why, param=param)


class VariablesWrong(InvalidRequest):
    """Variables are missing, unknown, or of another type."""

    code = "invalid_variables"

    def __init__(self, name: str, wrong: Sequence[str]) -> None:
        listed = "; ".join(wrong[:MAX_NAMED]) + ("; …" if len(wrong) > MAX_NAMED else "")
        super().__init__(
            f"The variables do not fit the prompt '{name}': {listed}. GET /v1/prompts/{name} says what it takes.",
            param="groundwork.variables",
        )


class PromptTooLong(InvalidRequest):
    """With its variables filled, the prompt is longer than any may be."""

    code = "prompt_too_long"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(
            f"With these variables the prompt '{name}' is longer than {limit:,} characters. Give shorter ones.",
            param="groundwork.variables",
        )


class PromptShips(Conflict):
    """The prompt ships with Groundwork, and the tenant has no version of its own."""

    code = "prompt_packaged"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The prompt '{name}' ships with Groundwork and has no version of your own. Save one under this name; then "
            "labels move, and deleting the prompt leads back to what ships."
        )


class InstructionsMissing(Conflict):
    """The prompt that an agent has for its instructions is gone, or does not fit any more."""

    code = "agent_prompt_unusable"

    def __init__(self, agent: str, named: str, why: str) -> None:
        super().__init__(
            f"The agent '{agent[:100]}' has the prompt '{named[:130]}' for its instructions, which can't be used: "
            f"{why[:500]} Mend the prompt, or save the agent with other instructions.",
            param="agent",
        )


class PromptUnreadable(Internal):
    """A version that this release can't read: a newer one has written it."""

    code = "prompt_unreadable"

    def __init__(self, name: str, version: int, why: str) -> None:
        super().__init__(
            f"Version {version} of the prompt '{name}' can't be read by this release ({why[:300]}). Save it again, "
            "which makes a version."
        )
