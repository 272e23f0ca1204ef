"""What a reading model changes in an answer, and that without one, or when it fails, nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from services.agent.tests.answering.answers import INCLUDE, RIGHT, degraded, kind_of
from services.agent.tests.conftest import LEAVE, LEAVE_QUESTION, PRICES, Bench, content_of

from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, hit
from agent.testing.scripted_reader import TOKENS, ScriptedReader
from contracts.models.chat import ChatCompletion
from contracts.models.reading import PassageReading, ReadingReply, ReadingRequest, Span
from contracts.models.receipts import Receipt
from servicekit.core.errors import ServiceError, UpstreamFailed

LOST = hit("# Onboarding\n\nA lost device is told to the security line at once. Badges are made on Mondays.", "guide")
STOLEN = "What should I do when somebody steals my notebook?"
READS = {"27 days": 0.97}
ANNOTATE = {**INCLUDE, "grounding": "annotate"}


class OverBudget(ServiceError):
    """A decision about the caller."""

    status, type, code = 402, "budget_exceeded", "budget_exceeded"


def receipt(answer: ChatCompletion) -> Receipt:
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    return answer.groundwork.receipt


async def asked(question: str, reader: ScriptedReader | None, **bench: Any) -> ChatCompletion:
    return await Bench(reader=reader, **bench).ask(question, groundwork=INCLUDE)


async def said(says: str, reader: ScriptedReader | None, *hits: Any) -> ChatCompletion:
    """What becomes of a capable model's draft."""
    return await Bench(hits=hits or (LEAVE,), says=says, info=CAPABLE, reader=reader).ask(
        LEAVE_QUESTION, groundwork=ANNOTATE
    )


async def test_where_no_model_reads_an_answer_is_what_it_is_without() -> None:
    reader = ScriptedReader(parts=frozenset())
    alone, with_none = [await asked(LEAVE_QUESTION, each, says=RIGHT) for each in (None, reader)]
    assert content_of(with_none) == content_of(alone)
    assert [stage.name for stage in receipt(with_none).stages] == [stage.name for stage in receipt(alone).stages]
    assert (receipt(with_none).degraded, receipt(with_none).tokens) == (receipt(alone).degraded, receipt(alone).tokens)
    assert reader.requests


async def test_the_reader_s_chance_decides_whether_there_is_an_answer() -> None:
    assert kind_of(await asked(STOLEN, None, hits=[LOST])) == "abstained"
    found = await asked(STOLEN, ScriptedReader(answers={"security line": 0.9}), hits=[LOST])
    assert kind_of(found) == "extractive"
    assert content_of(found).startswith("A lost device is told to the security line at once.")
    bench = Bench(says=RIGHT, reader=ScriptedReader())
    assert kind_of(await bench.ask(LEAVE_QUESTION)) == "abstained"
    assert bench.models.requests == []


@pytest.mark.parametrize(("threshold", "kind"), [(0.5, "extractive"), (0.97, "abstained")])
async def test_a_setting_beside_the_other_moves_its_threshold(threshold: float, kind: str) -> None:
    reader = ScriptedReader(answers={"27 days": 0.6})
    settings = AgentSettings(reader_threshold=threshold)
    assert kind_of(await asked(LEAVE_QUESTION, reader, settings=settings)) == kind


async def test_the_best_pieces_are_read_in_one_call_with_their_headings() -> None:
    reader = ScriptedReader(answers=READS)
    await asked(LEAVE_QUESTION, reader, settings=AgentSettings(reader_passages=1))
    (request,) = reader.requests
    assert request.question == LEAVE_QUESTION
    assert [text.splitlines()[:2] for text in request.passages] == [["leave-policy", "# Leave Policy"]]
    assert "27 days" in request.passages[0]


async def test_the_sentence_with_the_span_is_the_extractive_answer() -> None:
    question = "How many days of leave can be carried over by full-time employees?"
    assert "27 days" in content_of(await asked(question, None, hits=[LEAVE]))
    reader = ScriptedReader(answers={"until 30 June": 0.99})
    answer = await asked(question, reader, hits=[LEAVE, PRICES])
    quotes = [one.quote for one in answer.choices[0].message.annotations or []]
    assert "Unused days can be carried over until 30 June." in quotes
    assert "EUR" not in content_of(answer)


DISCOUNTS = hit("# Discounts\n\nQuantity | Discount\n5 to 24 | 4 percent\n25 to 99 | 14 percent\n", "prices")


async def test_what_a_reader_that_counts_alone_quotes_is_the_answer_whatever_row_the_words_name() -> None:
    question, quote = "What discount is there on 12 boxes of 3 pieces?", "14 percent"
    alone, beside = [
        content_of(await asked(question, ScriptedReader(answers={quote: 0.9}, alone=alone), hits=[DISCOUNTS]))
        for alone in (True, False)
    ]
    assert alone == "Quantity: 25 to 99; Discount: 14 percent [1]"
    assert beside == "Quantity: 5 to 24; Discount: 4 percent [1]"


async def test_a_quote_that_stands_in_several_rows_is_that_of_the_row_that_the_question_names() -> None:
    table = hit("# Fees\n\nKind | Fee\nCat | EUR 5\nDog | EUR 5\nHorse | EUR 50\n", "fees")
    reader = ScriptedReader(answers={"EUR 5": 0.9}, alone=True)
    assert content_of(await asked("What is the fee for a dog?", reader, hits=[table])) == "Kind: Dog; Fee: EUR 5 [1]"


async def test_a_reader_that_counts_alone_is_asked_in_the_caller_s_words_from_the_first_answer_on() -> None:
    class Forgetful(ScriptedReader):
        async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
            reply = await super().read(request, token)
            return reply.model_copy(update={"alone": True}) if reply is not None else None

    question = "What discount is there on 12 pieces?"
    for reader, requests in ((Forgetful({"4 percent": 0.9}), 2), (ScriptedReader({"4 percent": 0.9}, alone=True), 1)):
        await asked(question, reader, hits=[DISCOUNTS])
        assert len(reader.requests) == requests
        assert reader.requests[-1].question == question


async def test_where_a_reader_s_place_is_not_the_first_of_its_words_it_is_that_place() -> None:
    table = hit("# Fees\n\nKind | Fee\nCat | EUR 5\nHound | EUR 5\n", "fees")

    class Exact(ScriptedReader):
        def _passage(self, text: str) -> PassageReading:
            at = text.rindex("EUR 5")
            return PassageReading(answers=0.9, span=Span(start=at, end=at + 5))

    assert content_of(await asked("What is the fee for a cat?", Exact(alone=True), hits=[table])).startswith(
        "Kind: Hound"
    )


async def test_a_list_that_is_asked_for_is_shown_whole_only_where_the_quote_is_of_it() -> None:
    question = "Which benefits are there?"
    benefits = hit("# Benefits\n\n- Bicycle: free\n- Phone: free\n- Gym: half\n", "benefits")
    ended = hit("All benefits were ended in 2025.", "ended", rank=1)
    for quote, lines in (("Phone", 3), ("were ended", 1)):
        reader = ScriptedReader(answers={quote: 0.95}, alone=True)
        assert len(content_of(await asked(question, reader, hits=[benefits, ended])).splitlines()) == lines


async def test_where_a_reader_counts_alone_the_rules_have_no_say_in_whether_there_is_an_answer() -> None:
    sure = "How many days of leave do full-time employees receive each year?"
    for alone, kind in ((True, "abstained"), (False, "extractive")):
        reader = ScriptedReader(answers={"27 days": 0.3}, alone=alone)
        assert kind_of(await asked(sure, reader, hits=[LEAVE])) == kind


async def test_the_reader_that_is_named_reads_and_the_default_one_is_not_asked() -> None:
    default, tuned = ScriptedReader(), ScriptedReader(answers=READS, model="reader+handbook")
    default.others["reader+handbook"] = tuned
    bench = Bench(says=RIGHT, reader=default)
    assert kind_of(await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)) == "abstained"
    found = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, "reader": "reader+handbook"})
    assert kind_of(found) != "abstained"
    assert (len(default.requests), bool(tuned.requests)) == (1, True)


async def test_the_receipt_tells_the_stage_and_the_tokens_of_reading() -> None:
    answer = await asked(LEAVE_QUESTION, ScriptedReader(answers=READS), says="")
    assert receipt(answer).tokens.reading == 2 * TOKENS
    stages = [stage.name for stage in receipt(answer).stages]
    assert stages == ["condense", "retrieve", "read", "judge", "answer", "verify"]


@pytest.mark.parametrize("how", [{"failure": UpstreamFailed("Away.")}, {"hangs": True}])
async def test_a_reader_that_fails_or_is_late_leaves_it_to_the_rules_and_is_not_asked_again(
    how: Mapping[str, Any],
) -> None:
    reader = ScriptedReader(**how)
    settings = AgentSettings(reader_seconds=0.05)
    alone, without = [await asked(LEAVE_QUESTION, each, says=RIGHT, settings=settings) for each in (None, reader)]
    assert content_of(without) == content_of(alone)
    assert degraded(without) == ["reader_unavailable"]
    assert len(reader.requests) == 1


async def test_a_decision_about_the_caller_is_not_hidden() -> None:
    with pytest.raises(OverBudget):
        await asked(LEAVE_QUESTION, ScriptedReader(failure=OverBudget("Spent.")))


TURNED = "Per year full-time employees get 27 days of paid leave."
"""What a source says, not word for word."""


async def test_what_stands_in_a_source_word_for_word_no_reader_turns_down() -> None:
    reader = ScriptedReader(answers=READS, supports={"27 days": (0.0, 0.9)})
    answer = await said(f"“{RIGHT.upper()}”", reader)
    assert len(answer.choices[0].message.annotations or []) == 1
    assert answer.groundwork is not None
    assert answer.groundwork.grounded


async def test_what_the_rules_support_the_reader_may_turn_down() -> None:
    kept = ScriptedReader(answers=READS, supports={"27 days": (0.9, 0.0)})
    refused = ScriptedReader(answers=READS, supports={"27 days": (0.2, 0.1)})
    for reader, cited in ((None, 1), (kept, 1), (refused, 0)):
        answer = await said(TURNED, reader)
        assert len(answer.choices[0].message.annotations or []) == cited
        assert answer.groundwork is not None
        assert answer.groundwork.grounded is bool(cited)


async def test_other_words_for_the_same_are_supported_only_if_all_facts_agree() -> None:
    reader = ScriptedReader(answers=READS, supports={"27 days": (0.9, 0.0)})
    for says, reads, cited in (
        ("In each year they receive 27 vacation days.", None, 0),
        ("In each year they receive 27 vacation days.", reader, 1),
        ("In each year they receive 28 vacation days.", reader, 0),
        ("In each year they do not receive 27 vacation days.", reader, 0),
        ("In each year Astrid receives 27 vacation days.", reader, 0),
    ):
        answer = await said(says, reads)
        assert len(answer.choices[0].message.annotations or []) == cited, (says, reads)


async def test_what_contradicts_a_sentence_is_shown_whether_or_not_another_source_supports_it() -> None:
    other = hit("New staff of the year before have their unused days carried over until 31 March.", "old", rank=1)
    says = "Until 30 June unused days can be carried over."
    opposed = {"31 March": (0.0, 0.9), "30 June": (0.9, 0.0)}
    for supports, cited in ((opposed, 2), ({"31 March": (0.0, 0.9)}, 1)):
        assert "31 March" not in content_of(await said(says, None, LEAVE, other))
        answer = await said(says, ScriptedReader(answers=READS, supports=supports), LEAVE, other)
        assert "\nAnother source says: New staff" in content_of(answer)
        assert len(answer.choices[0].message.annotations or []) == cited


async def test_sentences_are_checked_by_the_rules_when_the_reader_fails_meanwhile() -> None:
    reader = ScriptedReader(parts=frozenset(("pairs",)), failure=None, supports={"27 days": (0.1, 0.0)})
    assert (await said(TURNED, reader)).choices[0].message.annotations == []
    reader = ScriptedReader(parts=frozenset(("pairs",)), failure=UpstreamFailed("Away."))
    answer = await said(TURNED, reader)
    assert len(answer.choices[0].message.annotations or []) == 1
    assert degraded(answer) == ["reader_unavailable"]


GERMAN = "Wie viele Tage Urlaub gibt es im Jahr?"
URLAUB: dict[str, Any] = {
    "hits": [hit("Alle haben 30 Tage Urlaub im Jahr. Der Rest ist bis zum 31. März zu nehmen.", "urlaub")],
    "settings": AgentSettings(abstain_threshold=0.1),
}


async def test_texts_in_other_languages_than_the_reader_s_are_left_to_the_rules() -> None:
    alone = await asked(GERMAN, None, **URLAUB)
    assert kind_of(alone) == "extractive"
    assert kind_of(await asked(GERMAN, ScriptedReader(), **URLAUB)) == "abstained"
    reader = ScriptedReader(languages=("en",))
    assert content_of(await asked(GERMAN, reader, **URLAUB)) == content_of(alone)
    assert reader.requests == []


async def test_what_a_reader_says_before_its_languages_are_known_is_not_taken() -> None:
    class Learning(ScriptedReader):
        async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
            self.languages = ("en",)
            return await super().read(request, token)

    reader = Learning()
    alone = await asked(GERMAN, None, **URLAUB)
    assert content_of(await asked(GERMAN, reader, **URLAUB)) == content_of(alone)
    assert len(reader.requests) == 1


async def test_where_the_best_piece_is_in_another_language_the_rules_alone_decide() -> None:
    other = hit("The heron is a bird. It can be seen at the lake in the evening.", "birds", rank=1)
    german = {**URLAUB, "hits": [*URLAUB["hits"], other]}
    alone = await asked("Urlaub Tage Jahr", None, **german)
    assert kind_of(alone) == "extractive"
    reader = ScriptedReader(languages=("en",))
    assert content_of(await asked("Urlaub Tage Jahr", reader, **german)) == content_of(alone)
    assert reader.requests == []
