from __future__ import annotations

import pytest
from services.agent.tests.answering.answers import RIGHT, assert_exact, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, content_of

from agent.testing.scripted_answers import CAPABLE, ScriptedModels, echo
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


async def test_a_model_that_breaks_off_after_its_first_words_is_an_error_and_no_end() -> None:
    bench = Bench(says=RIGHT, info=CAPABLE)
    bench.models = ScriptedModels(echo(RIGHT), CAPABLE, failure=UpstreamFailed("broken"), fail_after=6)
    with pytest.raises(UpstreamFailed):
        await bench.ask(LEAVE_QUESTION)
