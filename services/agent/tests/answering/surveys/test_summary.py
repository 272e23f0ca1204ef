from __future__ import annotations

from services.agent.tests.answering.answers import kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import ScriptedSearch, hit
from contracts.models.chat import ChatCompletion
from contracts.retrieval.search import Hit

HEAD = "Incident Report\n\nDate: 14 November 2024\n\n"
FIRST = (
    "The broker accepted no readings from any of the gateways for almost four hours that night. "
    "It happened because the certificate of the broker had expired without anyone noticing.\n\n"
)
SECOND = "| Measure | Value |\n| --- | --- |\n| Readings lost | 24,800 |\n| Gateways | 212 |\n\n"
THIRD = (
    "Most gateways stored their readings and sent all of them to the broker later on. "
    "From now on the certificate of the broker is renewed automatically every two months."
)


def _document(document_id: str, title: str, *texts: str) -> list[Hit]:
    found: list[Hit] = []
    start = 0
    for text in texts:
        found.append(hit(text, document_id, start=start, title=title, source=f"{document_id}.pdf"))
        start += len(text)
    return found


REPORT = _document("incident-report-2024-11", "Incident Report: Outage of 14 November", HEAD + FIRST, SECOND, THIRD)
LEAVE = _document(
    "leave", "Leave Policy", "Full-time employees get 27 days of paid leave per year and book them in the portal."
)
TABLE = _document("price-list", "Price List 2025", "Product | Price\nHeron S2 | EUR 189\nCauseway G1 | EUR 1,180\n")


def _quotes(answer: ChatCompletion) -> list[str]:
    return [one.quote for one in answer.choices[0].message.annotations or []]


async def test_a_summary_has_whole_sentences_in_reading_order() -> None:
    answer = await Bench(hits=(*LEAVE, *REPORT[::-1])).ask("Summarise the incident report")
    assert content_of(answer).startswith("“Incident Report: Outage of 14 November” in short:\n- The broker accepted")
    cited = answer.choices[0].message.annotations or []
    assert {one.document_id for one in cited} == {"incident-report-2024-11"}
    assert [one.start for one in cited] == sorted(one.start for one in cited)
    assert len(cited) == 3
    assert kind_of(answer) == "extractive"


async def test_neither_header_lines_nor_parts_of_tables_are_in_a_summary() -> None:
    answer = await Bench(hits=REPORT).ask("Summarise the incident report in 9 sentences")
    text = "".join(one.text for one in REPORT)
    assert all(quote in FIRST + THIRD for quote in _quotes(answer))
    assert all(quote in text for quote in _quotes(answer))
    assert not any("It happened" in quote for quote in _quotes(answer)), "leans on the sentence before it"


async def test_as_many_sentences_are_given_as_are_asked_for() -> None:
    assert len(_quotes(await Bench(hits=REPORT).ask("Summarise the incident report in one sentence"))) == 1


async def test_a_document_is_found_by_its_file_s_name() -> None:
    answer = await Bench(hits=(*LEAVE, *REPORT)).ask("Summarise incident-report-2024-11.pdf")
    assert "incident-report-2024-11" in {one.document_id for one in answer.choices[0].message.annotations or []}


async def test_a_table_is_not_torn_apart_but_said_to_be_one() -> None:
    answer = await Bench(hits=TABLE).ask("What is the price list about?")
    assert content_of(answer).startswith("“Price List 2025” is made of tables and lists.")
    assert _quotes(answer) == ["Product | Price"]


async def test_what_names_no_document_is_an_ordinary_question() -> None:
    bench = Bench(hits=(*LEAVE, *REPORT))
    await bench.ask("Summarise the rules for leave of full-time employees")
    assert [request.group_by for request in bench.search.requests] == ["document", None]


async def test_only_the_document_is_read_and_the_caller_s_filter_holds() -> None:
    bench = Bench(hits=(*LEAVE, *REPORT))
    mine = {"filter": {"must": [{"key": "document_id", "match": ["leave", "incident-report-2024-11"]}]}}
    bench.search.hits = REPORT
    await bench.ask("Summarise the incident report", groundwork=mine)
    read = bench.search.requests[-1].filter
    assert read is not None
    assert [one.match for one in read.must] == [["leave", "incident-report-2024-11"], "incident-report-2024-11"]


async def test_an_ordinary_question_makes_one_search_as_before() -> None:
    bench = Bench()
    await bench.ask(LEAVE_QUESTION)
    assert len(bench.search.requests) == 1


async def test_a_document_in_another_language_is_summed_up_by_the_model_that_found_it() -> None:
    text = (
        "Das Schwimmbad im Park öffnet im Sommer jeden Tag um acht Uhr morgens für alle Gäste. "
        "Der Eintritt in das Schwimmbad kostet für Erwachsene vier Euro und für Kinder zwei Euro. "
        "Das Schwimmbad wird bei jedem Gewitter geräumt und erst eine Stunde danach wieder geöffnet."
    )
    hits = _document("bad", "Schwimmbad", text)
    bench = Bench(hits=hits)
    bench.search = ScriptedSearch(hits, embedding_model="many-tongues", unrelated_cosine=0.5)
    answer = await bench.ask("Fasse Schwimmbad zusammen")
    assert content_of(answer).startswith("„Schwimmbad“ kurz gefasst:\n- Das Schwimmbad im Park")
    assert set(bench.models.embedded_by) == {("many-tongues", "query"), ("many-tongues", "passage")}
