"""What of a request and of an answer is looked at: all of it but references, joined where a model reads it joined."""

from __future__ import annotations

from services.gateway.tests.guardrails.samples import MAIL, MASK, chat, parts, screen

from contracts.models.catalog import EmbeddingRequest


async def test_each_part_of_a_finding_is_masked_where_it_stands_and_nothing_else() -> None:
    told = await screen(input={"pii": "redact"}).question(chat(parts("mail jane.roe@", "acme.example now")), 0)
    assert told.messages[0].plain_text() == f"mail {'*' * 9}\n{'*' * 12} now"


async def test_texts_that_are_no_finding_together_are_left_alone() -> None:
    asked = chat("In 2019 there were 12", "bob@acme is no address", "34 people", tools=[{"a": "4111"}])
    assert await screen(input={"pii": "block"}).question(asked, 0) is asked
    vectors = EmbeddingRequest.model_validate({"input": ["4111 1111", "1111 1111"]})  # each is read for itself
    assert await screen("POST /v1/embeddings", input={"pii": "block"}).question(vectors, 0) is vectors


async def test_an_address_after_a_word_is_masked_without_the_word() -> None:
    told = await screen(input={"pii": "redact"}).question(chat(parts("thanks", MAIL)), 0)
    assert told.messages[0].plain_text() == f"thanks\n{MASK}"
