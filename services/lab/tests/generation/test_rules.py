from __future__ import annotations

import pytest

from lab.generation.rules import RuleQuestion, question_of
from lab.generation.spans import spans_of

ASKED = [
    (
        "Full-time employees receive 27 days of paid annual leave per calendar year.",
        "How many days of paid annual leave do full-time employees receive per calendar year?",
        "27 days of paid annual leave",
    ),
    ("A warm lunch costs EUR 3.75, soup EUR 1.20.", "How much does a warm lunch cost?", "EUR 3.75"),
    ("The smallest order is EUR 60; for less we charge.", "How much is the smallest order?", "EUR 60"),
    ("Maternity leave lasts 16 weeks at full pay.", "How long does maternity leave last at full pay?", "16 weeks"),
    ("Days carried over must be taken by 30 June.", "By when must days carried over be taken?", "30 June"),
    ("The building is open from 06:30 to 20:00.", "When is the building open?", "from 06:30 to 20:00"),
    (
        "The register of processors is kept by the Data Officer and reviewed yearly.",
        "Who is the register of processors kept by?",
        "the Data Officer",
    ),
    ("You may buy up to 5 extra days a year.", "How many extra days may I buy a year?", "5 extra days"),
    ("RSSI – The strength of the signal, in dBm.", 'What does "RSSI" mean?', "The strength of the signal, in dBm."),
]


@pytest.mark.parametrize(("text", "question", "answer"), ASKED)
def test_a_sentence_of_a_known_form_becomes_its_question(text: str, question: str, answer: str) -> None:
    (span,) = spans_of(text)
    assert question_of(span, text) == RuleQuestion(question, answer)


@pytest.mark.parametrize(
    "text",
    [
        "Mounting takes about 40 minutes.",
        "The budget is 0.5 percent of the net profit.",
        "If you fall ill, the visit takes 2 days.",
        "Each parent who works may take 26 weeks of leave.",
        "Trips must be approved by your manager within 4 weeks.",
        "Les salariés reçoivent 27 jours de congé par an.",
    ],
)
def test_what_fits_no_form_or_would_be_unclear_has_no_question(text: str) -> None:
    for span in spans_of(text):
        assert question_of(span, text) is None


@pytest.mark.parametrize(
    ("header", "row", "question"),
    [
        ("Order no. | Product | Price", "10-2100 | Heron S2 | EUR 189", "What is the price of the Heron S2?"),
        ("Room | Seats", "Avocet | 12", "How many seats does Avocet have?"),
        ("Data | Kept for", "Visitor register | 90 days", "How long is the visitor register kept?"),
        ("Attribute | WS3", "Transmitting power | 14 dBm", "What is the transmitting power of the WS3?"),
        ("Setting | Factory setting", "Gust length | 3 s", "What is the factory setting for the gust length?"),
        ("Quantity | Discount", "10 to 24 | 5 percent", None),
        ("Task | How often", "Clean the filter | monthly", None),
        ("Country | Parcel up to 20 kg", "Norway | EUR 44", None),
    ],
)
def test_a_row_is_asked_about_by_what_names_it(header: str, row: str, question: str | None) -> None:
    columns = len(header.split("|"))
    text = f"| {header} |\n|{' --- |' * columns}\n| {row} |\n"
    (span,) = spans_of(text)
    asked = question_of(span, text)
    assert (asked.question if asked else None) == question
