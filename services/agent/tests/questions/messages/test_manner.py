"""What the sentences about an answer want of a model, and what words of the sources can't keep to."""

from __future__ import annotations

import pytest

from agent.questions.messages.manner import NO_MANNER, read_manner

ENGLISH = "The deposit is 300 euros and it is paid at the desk."


@pytest.mark.parametrize(
    ("directives", "language", "length", "unmet"),
    [
        ((), None, None, []),
        (("Answer in English.",), "English", None, []),
        (("Reply in German.",), "German", None, ["style"]),
        (("Antworte bitte kurz auf Deutsch.",), "German", "short", ["style"]),
        (("Réponds en français.",), "French", None, ["style"]),
        (("In Spanish, please.",), "Spanish", None, ["style"]),
        (("Answer in German.", "No, answer in English."), "English", None, []),
        (("Respond in the same language as the question.",), None, None, []),
        (("Be brief.", "Cite your sources."), None, "short", []),
        (("Answer in one sentence.",), None, "short", []),
        (("Use three sentences maximum.",), None, "stated", []),
        (("Answer in detail.",), None, "detailed", ["style"]),
        (("Reply in JSON with keys answer and source.",), None, None, ["format"]),
        (("Use bullet points.",), None, None, ["format"]),
        (("Format your answer as a markdown table.",), None, None, ["format"]),
        (("Do not use emojis.", "No JSON."), None, None, []),
        (("Explain it like I'm five.",), None, None, ["style"]),
    ],
)
def test_language_length_and_form_are_read(
    directives: tuple[str, ...], language: str | None, length: str | None, unmet: list[str]
) -> None:
    manner = read_manner(directives)
    assert (manner.language, manner.length, list(manner.unmet(ENGLISH))) == (language, length, unmet)


def test_a_model_is_not_told_what_every_answer_keeps_to() -> None:
    said = ("Use the provided context only.", "If you don't know, say so.", "Cite your sources.", "Reply in JSON.")
    assert read_manner(said).text == "Reply in JSON."
    assert read_manner(said[:3]).text == ""
    assert read_manner(()) is NO_MANNER


def test_the_language_of_an_abstention_is_one_that_it_is_written_in() -> None:
    assert read_manner(("Reply in German.",)).spoken == "de"
    assert read_manner(("Reply in Swedish.",)).spoken is None
