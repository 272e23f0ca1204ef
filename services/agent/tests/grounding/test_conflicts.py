"""Sources that contradict each other are both shown, whichever the model prefers."""

from __future__ import annotations

import pytest
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import CAPABLE, PACKAGED, hit
from contracts.models.catalog import ModelInfo

RIGHT = "Full-time employees get 27 days of paid leave per year."
OLD = hit(f"{RIGHT} Ask your manager.", "policy-2025")
NEW = hit("Full-time employees get 25 days of paid leave per year. Ask your team lead.", "policy-2023", rank=1)
SAME = hit("Full-time employees get 27 days of paid leave a year.", "faq", rank=2)


@pytest.mark.parametrize(
    ("says", "info"), [(RIGHT, PACKAGED), (RIGHT, CAPABLE), ("", PACKAGED), ("NO ANSWER", PACKAGED)]
)
async def test_conflicting_sources_are_both_shown(says: str, info: ModelInfo) -> None:
    answer = await Bench(hits=[OLD, NEW, SAME], says=says, info=info).ask(LEAVE_QUESTION)
    content = content_of(answer)
    assert "27 days" in content
    assert "25 days" in content
    cited = {one.document_id for one in answer.choices[0].message.annotations or []}
    assert "policy-2023" in cited
    assert cited & {"policy-2025", "faq"}


async def test_sources_that_agree_are_not_called_a_conflict() -> None:
    answer = await Bench(hits=[OLD, SAME], says=RIGHT, info=CAPABLE).ask(LEAVE_QUESTION)
    assert content_of(answer) == f"{RIGHT} [1]"


async def test_rows_of_one_table_do_not_contradict_each_other() -> None:
    table = hit("Plan | Price\nStarter | EUR 2\nTeam | EUR 9", "prices")
    answer = await Bench(hits=[table], says="The Starter plan has a price of EUR 2.", info=CAPABLE).ask(
        "What is the price of the Starter plan?"
    )
    assert "Another source" not in content_of(answer)


async def test_an_exception_in_the_same_document_is_no_other_source() -> None:
    rule = "Full-time employees receive 27 days of paid annual leave per calendar year."
    bought = "Once a year, between 1 and 20 November, you may buy up to 5 extra days for the following year."
    hits = [hit(rule, "leave-policy"), hit(bought, "leave-policy", rank=1, start=400)]
    answer = await Bench(hits=hits, says=rule, info=CAPABLE).ask("how many days of leave do I get?")
    assert content_of(answer) == f"{rule} [1]"
