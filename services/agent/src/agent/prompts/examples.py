"""Which of a prompt's examples are shown: all, or those most like the question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog

from agent.errors import is_policy
from agent.ports import Models
from agent.relevance.lexicon import Lexicon, unit
from contracts.agents.prompts import PromptDefinition, PromptExample, PromptMessage
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
NOT_COMPARED = "examples_not_compared"
SYSTEM = ("system", "developer")


async def choose_examples(
    definition: PromptDefinition, question: str, models: Models, vectors: Lexicon, token: str
) -> tuple[Sequence[PromptExample], tuple[str, ...]]:
    """The examples, the one most like the question last, and what was done without.

    Where embeddings are not to be had the first ones stand in. Raises what is decided about the caller.
    """
    wanted = definition.nearest
    if wanted is None or len(definition.examples) <= wanted:
        return definition.examples, ()
    texts = [example.input for example in definition.examples]
    known = vectors.find(texts)  # held here: what others learn meanwhile may push them out
    fresh = [text for text in dict.fromkeys(texts) if text not in known]
    try:
        embedded = await models.embed([question, *fresh], token)
        if any(len(vector) != len(embedded.vectors[0]) for vector in known.values()):  # of another model, before
            known, fresh = {}, list(dict.fromkeys(texts))
            embedded = await models.embed([question, *fresh], token)
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("examples not compared", code=error.code)
        return definition.examples[:wanted], (NOT_COMPARED,)
    asked, *new = embedded.vectors
    vectors.learn(fresh, new)
    known |= dict(zip(fresh, map(unit, new), strict=True))
    likeness = np.array([float(known[text] @ asked) for text in texts])
    best = np.argsort(likeness, kind="stable")[-wanted:]
    return [definition.examples[int(at)] for at in best], ()


def with_examples(messages: Sequence[PromptMessage], examples: Sequence[PromptExample]) -> list[PromptMessage]:
    """The messages with the examples after the first system messages."""
    first = next((at for at, message in enumerate(messages) if message.role not in SYSTEM), len(messages))
    shown = [
        PromptMessage(role=role, content=text)
        for example in examples
        for role, text in (("user", example.input), ("assistant", example.output))
    ]
    return [*messages[:first], *shown, *messages[first:]]
