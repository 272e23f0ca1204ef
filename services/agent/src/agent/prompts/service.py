"""What the API and answers do with prompts: save one that can be used, move labels, fill variables."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from agent.ports import Models
from agent.prompts import repository
from agent.prompts.errors import LabelProtected, PromptRefused
from agent.prompts.examples import choose_examples, with_examples
from agent.prompts.packaged import check_replacement, in_place, name_of, read_reference
from agent.prompts.prompt import Prompt, load_prompt
from agent.prompts.template import check_template, fill
from agent.relevance.lexicon import Lexicon
from agent.schemas.validation import SchemaBroken, check_schema
from agent.threads.repository import Viewer
from contracts.agents.prompts import PromptDefinition, PromptReference, PromptRender, RenderedPrompt
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
RELEASE = "prompts:release"
KEPT_VECTORS = 2_000
"""Of examples."""


@dataclass(frozen=True)
class Prompts:
    """Nothing of a prompt is kept in memory: each call reads what its reference means, so that every replica has a
    label's move as soon as it is committed."""

    database: Database
    models: Models
    protected: frozenset[str]
    vectors: Lexicon = field(default_factory=lambda: Lexicon(KEPT_VECTORS))

    async def check(self, name: str, definition: PromptDefinition, token: str) -> None:
        """Raise `PromptRefused` for what could not be used: places without variables, a schema, a model."""
        check_template(definition)
        check_replacement(name, definition)
        if definition.output_schema is not None:
            try:
                check_schema(definition.output_schema)
            except SchemaBroken as error:
                raise PromptRefused(f"output_schema: {error}.", "output_schema") from None
        if definition.model != "default" and await self.models.model(definition.model, token) is None:
            raise PromptRefused(
                f"There is no chat model '{definition.model[:100]}' that this key may use. GET /v1/models lists them; "
                "'default' is the one that the operator chose.",
                "model",
            )

    async def in_use(self, tenant: str, file: str) -> Prompt:
        """The prompt in place of one that ships; see `PromptSource`. A version that could not be asked with, since it
        was saved by a release that had other places, is passed over."""
        name = name_of(file)
        async with self.database.read() as connection:
            number, definition = await repository.resolve(connection, tenant, PromptReference(name))
        try:
            return in_place(name, number, definition)
        except PromptRefused as error:
            log.warning("prompt passed over", prompt=f"{name}@{number}", why=error.message)
            return load_prompt(file)

    async def get_named(self, tenant: str, named: str) -> Prompt:
        """A version in place of the file that ships under its name; see `PromptSource`."""
        reference = read_reference(named)
        async with self.database.read() as connection:
            number, definition = await repository.resolve(connection, tenant, reference)
        return in_place(reference.name, number, definition)

    def check_mover(self, viewer: Viewer, *labels: str) -> None:
        """Raise `LabelProtected` unless the key may move these labels."""
        scopes = viewer.rights.scopes if viewer.rights is not None else (RELEASE,)
        for label in labels:
            if label in self.protected and RELEASE not in scopes:
                raise LabelProtected(label)

    async def render(self, tenant: str, name: str, asked: PromptRender, token: str) -> RenderedPrompt:
        """What a model is asked by the version that a reference means now."""
        async with self.database.read() as connection:
            reference = PromptReference(name, asked.label, asked.version)
            number, definition = await repository.resolve(connection, tenant, reference)
        messages = fill(name, definition, asked.variables)
        last = next((message.content for message in reversed(messages) if message.role == "user"), "")
        examples, degraded = await choose_examples(
            definition, asked.question or last or name, self.models, self.vectors, token
        )
        return RenderedPrompt(
            name=name,
            version=number,
            model=definition.model,
            messages=with_examples(messages, examples),
            parameters=definition.parameters,
            response_format=_response_format(name, definition),
            tools=definition.tools,
            degraded=list(degraded),
        )


def _response_format(name: str, definition: PromptDefinition) -> dict[str, object] | None:
    if definition.output_schema is None:
        return None
    schema = {"name": name, "schema": definition.output_schema, "strict": True}
    return {"type": "json_schema", "json_schema": schema}
