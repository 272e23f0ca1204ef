"""The question is found in whatever clients send it in; what only asks comes through as it is."""

from __future__ import annotations

import pytest

from agent.questions.messages.message import UserMessage, read_message

ASKED = "What is the deposit for borrowing a demo kit?"
_NAMED = {
    "plain": ASKED,
    "brief and English": f"{ASKED}\n\nBe brief. Answer in English.",
    "one sentence": f"{ASKED} Answer in one sentence.",
    "please answer briefly": f"Please answer briefly: {ASKED}",
    "labels": f"Question: {ASKED}\nAnswer:",
    "task of an agent": f"\nCurrent Task: {ASKED}\n\nThis is the expected criteria for your final answer: one "
    "sentence\nyou MUST return the actual complete content as the final answer, not a summary.",
    "step by step": f"{ASKED} Think step by step.",
    "JSON": f"{ASKED} Reply in JSON with keys answer and source.",
    "greeting and thanks": f"Hi! {ASKED} Thanks!",
    "tags": f"<question>{ASKED}</question>",
    "sources": f"{ASKED} Cite your sources.",
    "prompt of a RAG framework": "You are an assistant for question-answering tasks. Use the following pieces of "
    "retrieved context to answer the question. If you don't know the answer, say that you don't know.\n"
    f"Question: {ASKED}\nContext: \nAnswer:",
    "language reminder": f"{ASKED}\n\nReply in English.\n",
}
_PASTED = "Boats leave at noon.\n\nThe museum opens in May. Is it free? It is."
_WITH_CONTEXT = {
    "context between label and question": f"Use the following pieces of context to answer the question at the end.\n\n"
    f"{_PASTED}\n\nQuestion: {ASKED}\nHelpful Answer:",
    "context behind the question": f"Question: {ASKED}\nContext: {_PASTED}\nAnswer:",
    "context between rules": f"Context information is below.\n-----\n{_PASTED}\n-----\nGiven the context information "
    f"and not prior knowledge, answer the query.\nQuery: {ASKED}\nAnswer: ",
    "context in tags, question behind": f"### Task:\nRespond to the user query using the provided context, with "
    "citations when the <source> tag has an id.\n\n### Guidelines:\n- If you don't know, say that.\n\n"
    f'<context>\n<source id="1">'
    f"{_PASTED}</source>\n</context>\n\n{ASKED}",
    "fields": f"[[ ## context ## ]]\n{_PASTED}\n\n[[ ## question ## ]]\n{ASKED}\n\nRespond with the corresponding "
    "output fields, starting with the field `[[ ## answer ## ]]`.",
    "label without one for the question": f"Answer from the context.\n\nContext:\n{_PASTED}\n\n{ASKED}",
    "announced, without labels": f"Use the following documents to answer the question.\n\n{_PASTED}\n\n{ASKED}",
    "tags of both": f"<documents>\n{_PASTED}\n</documents>\n<user_query>\n{ASKED}\n</user_query>",
}


@pytest.mark.parametrize("message", _NAMED.values(), ids=_NAMED)
def test_an_instruction_beside_a_question_is_no_part_of_it(message: str) -> None:
    assert read_message(message).question == ASKED


@pytest.mark.parametrize("message", _WITH_CONTEXT.values(), ids=_WITH_CONTEXT)
def test_pasted_context_is_no_part_of_the_question(message: str) -> None:
    read = read_message(message)
    assert read.question == ASKED
    assert "The museum opens in May." in read.context


@pytest.mark.parametrize(
    ("message", "question", "directives"),
    [
        ("Wie hoch ist die Kaution? Antworte bitte kurz.", "Wie hoch ist die Kaution?", ("Antworte bitte kurz.",)),
        ("Frage: Wie hoch ist die Kaution?\nAntwort:", "Wie hoch ist die Kaution?", ()),
        ("Hallo! Wie hoch ist die Kaution? Danke!", "Wie hoch ist die Kaution?", ()),
        ("Quelle est la caution ? Réponds en une phrase.", "Quelle est la caution ?", ("Réponds en une phrase.",)),
        ("Quelle est la caution ? Citez vos sources.", "Quelle est la caution ?", ("Citez vos sources.",)),
        ("¿Cuál es el depósito? Responde en español.", "¿Cuál es el depósito?", ("Responde en español.",)),
        ("¿Cuál es el depósito? Cita las fuentes.", "¿Cuál es el depósito?", ("Cita las fuentes.",)),
        ("What is the fee, in one sentence?", "What is the fee?", ("in one sentence",)),
        ("what is the fee Please answer briefly.", "what is the fee", ("Please answer briefly.",)),
        ('"What is the fee?"', "What is the fee?", ()),
        ("```\nWhat is the fee?\n```", "What is the fee?", ()),
        ("[INST] What is the fee? [/INST]", "What is the fee?", ()),
        ("Could you keep it short? What is the fee?", "What is the fee?", ("Could you keep it short?",)),
    ],
)
def test_instructions_are_told_apart_in_each_language(message: str, question: str, directives: tuple[str, ...]) -> None:
    read = read_message(message)
    assert (read.question, read.directives) == (question, directives)


@pytest.mark.parametrize(
    "message",
    [
        "My laptop broke yesterday. What do I have to do? Be brief.",
        "Context: My laptop broke yesterday.\n\nWhat do I have to do?",
        "My laptop broke yesterday.\n\nQuestion: What do I have to do?\nAnswer:",
    ],
)
def test_what_the_asker_says_of_himself_stays_with_the_question(message: str) -> None:
    assert " ".join(read_message(message).question.split()) == "My laptop broke yesterday. What do I have to do?"


@pytest.mark.parametrize("message", ["Be brief.", "In German, please.", "Answer in JSON."])
def test_a_message_of_instructions_alone_asks_nothing(message: str) -> None:
    assert read_message(message) == UserMessage(message, (message,), asks=False)


@pytest.mark.parametrize(
    "part",
    [
        "<question>",
        "<question></question>",
        "Question: ",
        "Question: x\n",
        "Please answer. ",
        "Please ",
        "please, ",
        "- ",
        "the ",
        "Context: a\n\n",
        "a, b: ",
        "([{",
        '"""',
        "---\n",
        "Mr. ",
        "a. ",
        "If you do not ",
        "an a an ",
        "## a",
        "[[ ## a",
        "*",
    ],
)
@pytest.mark.parametrize("width", [600, 2_000, 64_000])
def test_reading_takes_time_in_proportion_to_the_length(part: str, width: int) -> None:
    message = "\n".join([(part * width)[:width]] * (64_000 // width))
    assert read_message(message).question  # a quadratic reading would not end within the test's deadline
