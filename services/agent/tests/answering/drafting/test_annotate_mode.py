from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import RIGHT, assert_exact, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import CAPABLE, ScriptedModels, echo, hit
from agent.text.refusals import says_no_answer
from servicekit.core.errors import UpstreamFailed


async def test_annotate_sends_everything_at_once_and_marks_what_is_supported() -> None:
    bench = Bench(says=f"{RIGHT} Everyone also gets a pony named Bella.", info=CAPABLE)
    answer = await bench.ask(LEAVE_QUESTION)
    assert content_of(answer) == f"{RIGHT} [1] Everyone also gets a pony named Bella."
    assert answer.groundwork is not None
    assert not answer.groundwork.grounded
    assert_exact(answer)
    chunks = await bench.stream(LEAVE_QUESTION)
    assert len(chunks) > 10, "word by word"


async def test_off_checks_nothing_and_says_so() -> None:
    answer = await Bench(says=RIGHT).ask(LEAVE_QUESTION, groundwork={"grounding": "off"})
    assert content_of(answer) == RIGHT
    assert answer.groundwork is not None
    assert (answer.groundwork.grounded, answer.choices[0].message.annotations) == (False, [])


async def test_a_capable_models_refusal_is_an_abstention() -> None:
    answer = await Bench(says="NO ANSWER.", info=CAPABLE).ask(LEAVE_QUESTION)
    assert kind_of(answer) == "abstained"


@pytest.mark.parametrize("grounding", ["annotate", "off"])
async def test_a_refusal_in_a_models_own_words_stays_and_is_not_followed_by_what_is_beside_the_point(
    grounding: str,
) -> None:
    bench = Bench(says=f"Sorry. The sources do not say how much the leave is worth. {RIGHT}", info=CAPABLE)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={"grounding": grounding})
    assert kind_of(answer) == "abstained"
    assert content_of(answer).startswith("Sorry. The sources do not say how much the leave is worth.\n\nClosest to it")
    assert RIGHT not in content_of(answer)
    assert bench.models.closed == 1


async def test_an_answer_that_begins_with_what_is_not_explicit_is_one() -> None:
    answer = await Bench(says=f"The sources do not say so explicitly. {RIGHT}", info=CAPABLE).ask(LEAVE_QUESTION)
    assert kind_of(answer) == "generated"


async def test_the_packaged_models_own_words_are_not_believed() -> None:
    answer = await Bench(says=f"The sources do not say. {RIGHT}").ask(
        LEAVE_QUESTION, groundwork={"grounding": "annotate"}
    )
    assert kind_of(answer) == "generated"


async def test_a_model_that_breaks_off_after_its_first_words_is_an_error_and_no_end() -> None:
    bench = Bench(says=RIGHT, info=CAPABLE)
    bench.models = ScriptedModels(echo(RIGHT), CAPABLE, failure=UpstreamFailed("broken"), fail_after=6)
    with pytest.raises(UpstreamFailed):
        await bench.ask(LEAVE_QUESTION)


@pytest.mark.parametrize("says", ["Yes", "**No.**", "YES ANSWER", "YES ANSWER\n"])
async def test_a_yes_that_no_source_can_be_shown_for_falls_back_on_what_the_sources_say(says: str) -> None:
    answer = await Bench(says=says, info=CAPABLE).ask(LEAVE_QUESTION, groundwork={"include": ["receipt"]})
    assert kind_of(answer) == "extractive"
    assert content_of(answer).startswith(RIGHT.removesuffix("."))
    assert answer.groundwork is not None
    assert answer.groundwork.degraded == ["draft_unsupported"]
    assert_exact(answer)


@pytest.mark.parametrize(
    ("says", "written"),
    [
        (f"Yes. {RIGHT}", f"Yes. {RIGHT} [1]"),
        (f"YES ANSWER\n{RIGHT}", f"{RIGHT} [1]"),
        (f"Yes, it is so. {RIGHT}", f"Yes, it is so. {RIGHT} [1]"),
    ],
)
async def test_a_yes_stays_before_what_is_said_about_it(says: str, written: str) -> None:
    answer = await Bench(says=says, info=CAPABLE).ask(LEAVE_QUESTION)
    assert content_of(answer) == written


async def test_off_leaves_a_bare_yes() -> None:
    answer = await Bench(says="Yes", info=CAPABLE).ask(LEAVE_QUESTION, groundwork={"grounding": "off"})
    assert content_of(answer) == "Yes"


FORBIDDEN = "The documents cannot be given to visitors."
RULES = hit(f"# Rules\n\n{FORBIDDEN} Visitors wear a badge at all times.", "rules")


async def test_annotate_goes_on_after_what_a_source_says_though_it_is_worded_like_a_denial() -> None:
    assert says_no_answer(FORBIDDEN)
    bench = Bench(hits=(RULES,), says=f"{FORBIDDEN} Visitors wear a badge at all times.", info=CAPABLE)
    answer = await bench.ask("May the documents be given to visitors?", groundwork={"grounding": "annotate"})
    assert kind_of(answer) == "generated"
    assert content_of(answer) == f"{FORBIDDEN} [1] Visitors wear a badge at all times. [1]"
