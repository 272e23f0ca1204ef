"""The applications of `examples/`: the commands that their pages print, run in order on a home with packaged parts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise

import pytest
from examples.content import announce
from examples.improve import leftovers
from examples.tutor import tutor
from tests.support.home.stack import ROOT, RunningHome
from tests.support.ingest.peers import until

from contracts.models.catalog import ModelDeclaration

WRITER = "examples-writer"


def run_page(home: RunningHome, application: str, said: str = "") -> dict[str, str]:
    """What each command of an application's page prints, and all together under an empty name."""
    page = (ROOT / "examples" / application / "README.md").read_text()
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.home.root)}
    printed: dict[str, str] = {}
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for command in block.splitlines():
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=ROOT,
                env=environment,
                input=said,
                capture_output=True,
                text=True,
                timeout=1800,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            printed[command] = done.stdout
    return {**printed, "": "\n".join(printed.values())}


def quotes_stand_in_documents(home: RunningHome, collection: str, printed: str) -> int:
    """Check that each quote that was printed is in the text of the document that it names; how many there are."""
    texts = {
        document.source: " ".join(home.client.documents.text(collection, document.id).split())
        for document in home.client.documents.list(collection)
    }
    found = re.findall(r"^ *\[\d+\] .*?\(([^(),]+)(?:, page \d+)?\): “(.*)”$", printed, re.MULTILINE)
    for source, quote in found:
        assert quote in texts[source], (source, quote)
    return len(found)


@pytest.fixture
def no_heads_afterwards(home: RunningHome) -> Iterator[None]:
    yield
    for model in home.client.models():
        if "+desk-" in model.id:
            home.client.delete_model(model.id)


@pytest.mark.usefixtures("no_heads_afterwards")
def test_the_support_desk_answers_what_documents_answer_and_hands_over_the_rest(home: RunningHome) -> None:
    printed = run_page(home, "support_desk")[""]
    tickets = {block.splitlines()[0]: block for block in printed.split("\nTicket: ")[1:]}
    for what, least in (("topic", 85), ("mood", 80), ("urgency", 85)):
        found = re.search(rf"{what}: right on (\d+)%", printed)
        assert found, printed
        assert int(found[1]) >= least, printed
    answered = [block for block in tickets.values() if "to a colleague" not in block]
    assert any("E06" in block and "red strip" in block for block in answered), printed
    assert any("Bittern" in block and "4 years" in block for block in answered), printed
    (angry,) = (block for ticket, block in tickets.items() if "sick of" in ticket)
    assert "the ticket is angry" in angry
    (urgent,) = (block for ticket, block in tickets.items() if "swelling" in ticket)
    assert "it is urgent" in urgent
    (unknown,) = (block for ticket, block in tickets.items() if "salinity" in ticket)
    assert "the documents do not answer it" in unknown
    (vague,) = (block for ticket, block in tickets.items() if "the thing that" in ticket)
    assert "not sure what it is about" in vague
    assert all("has not answered your question" in b for b in tickets.values() if "to a colleague" in b)
    assert quotes_stand_in_documents(home, "support", printed) >= 3


def test_the_tutor_calls_right_what_its_source_says_and_nothing_else(
    home: RunningHome, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = run_page(home, "tutor", "not 27 days\n4711\nall of them\n")[""]
    assert "0 of 3 right" in printed
    known = {one.question: one.answers[0] for one in home.client.question_sets.questions("quiz") if one.answers}

    def knows(_: str) -> str:
        return known[capsys.readouterr().out.strip().splitlines()[-1]]

    grades = tutor.main(home.client, "quiz", 100, knows)
    assert set(grades) == {"right"}
    assert grades["right"] >= 3
    for item in tutor.items(home.client, "quiz", 100):
        assert item.passage
        assert set(tutor.words(item.expected)) & set(tutor.words(item.passage)), item


@pytest.fixture
def writer(home: RunningHome) -> Iterator[str]:
    """A model that says the same to everybody: one sentence that its fact supports, and one that invents a number."""
    said = {
        "headline": "Warranty",
        "sentences": [{"text": "Stations have 2 years.", "fact": 1}, {"text": "Now 9 years!", "fact": 1}],
    }
    rules = [{"when": ".", "reply": json.dumps(said)}]
    declared = ModelDeclaration(kind="chat", engine="scripted", source={"rules": rules}, context_length=8192)
    home.client.put_model(WRITER, declared)
    yield WRITER
    home.client.delete_model(WRITER)


def test_content_has_cited_facts_says_that_a_model_is_too_small_and_drops_what_a_larger_one_invents(
    home: RunningHome, writer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = run_page(home, "content")[""]
    assert "2 years" in printed
    assert "the documents do not answer “How many kilometres does the drone fly?”" in printed
    assert "is too small to write" in printed
    assert "For farmers" not in printed
    assert quotes_stand_in_documents(home, "handbook", printed) >= 3
    before = home.client.prompts.get("announcement")
    changed = before.model_dump(include={"messages", "variables", "parameters", "output_schema"}, mode="json")
    home.client.prompts.save("announcement", {**changed, "model": writer}, label="production")
    brief = json.loads((ROOT / "examples" / "content" / "brief.json").read_text())
    variants = announce.main(home.client, brief)
    assert [one.audience for one in variants] == [one["audience"] for one in brief["audiences"]]
    assert all(one.sentences == ["Stations have 2 years. [1]"] for one in variants)
    assert all(one.refused == ["“Now 9 years!”: no fact has 9"] for one in variants)
    assert "left out: “Now 9 years!”" in capsys.readouterr().out
    home.client.prompts.rollback("announcement")
    assert home.client.prompts.get("announcement").version == before.version


def test_code_is_found_by_file_and_line_and_a_removed_function_where_it_is_still_called(home: RunningHome) -> None:
    printed = run_page(home, "code_review")
    where = next(output for command, output in printed.items() if ".where " in command)
    places = re.findall(r"^(\S+):(\d+)-(\d+)$", where, re.MULTILINE)
    assert any(
        "def send_with_retries" in "\n".join((ROOT / path).read_text().splitlines()[int(first) - 1 : int(last)])
        for path, first, last in places
    ), where
    review = next(output for command, output in printed.items() if "sample.diff" in command)
    assert "check_name IS REMOVED" in review
    named = re.findall(r"^    (\S+?):(\d+): (.*)$", review, re.MULTILINE)
    assert named
    for path, number, line in named:
        assert (ROOT / path).read_text().splitlines()[int(number) - 1].strip() == line
    assert any(path.endswith("backups.py") and "send_with_retries(" in line for path, _, line in named)
    assert any(path.endswith("bulk.py") and "check_name(" in line for path, _, line in named)
    assert all(first <= second for first, second in pairwise(path for path, _, line in named if "check_name" in line))
    assert "No comment by a model" in review


def test_the_loop_tunes_what_people_ask_compares_splits_and_goes_back_and_leaves_nothing(home: RunningHome) -> None:
    printed = run_page(home, "improve")[""]
    for measure in ("retrieval_ndcg_10", "answer_found"):
        table = printed[printed.index(f"  {measure} ") :]
        house = next(line for line in table.splitlines() if line.startswith("    house words"))
        plain = next(line for line in table.splitlines() if line.startswith("    plain words"))
        assert house.endswith("better"), printed
        assert not plain.endswith("worse"), printed
    assert "the gates passed it: it is served as minilm+improve-example-" in printed
    shown = dict(re.findall(r"^  (before|after) +(\d+) ", printed, re.MULTILINE))
    assert sum(map(int, shown.values())) == 60, "each of sixty people got one of the two"
    assert all(int(calls) >= 10 for calls in shown.values()), printed
    assert "version 1 again: before answers everybody" in printed
    client, name = home.client, leftovers.NAME
    assert name not in {route.name for route in client.routes.list()}
    assert name not in {one.name for one in client.question_sets.list()}
    assert not [one for one in client.collections.list() if one.name.startswith(name)]
    until(
        lambda: not [one for one in client.models() if name in one.id], "the list, which is kept for seconds, has none"
    )
    assert not [one for one in client.tuning.list() if (one.suffix or "").startswith(name)]
    assert not [one for one in client.keys.list() if one.name == name and one.revoked_at is None]
    assert not list(client.feedback.list(collection=leftovers.BEFORE))
