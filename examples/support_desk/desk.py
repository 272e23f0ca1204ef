"""A support desk: each ticket is sorted, then answered from documents with citations, or handed over to a person.

The customer gets an answer only where nothing speaks for a person: the ticket is neither angry nor urgent, the desk is
sure what it is about, and the answer has sources for every sentence and for every code that the ticket names.

Usage: python -m examples.support_desk.desk [TICKET ...]    (unsaid, those of inbox.txt)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from contracts.models.classification import Classification
from examples.connection import citation_lines, run
from examples.support_desk.triage import sort, train
from groundwork.client import Answer, Groundwork
from groundwork.client.transfers.bulk import ingest_files

INBOX = Path(__file__).parent / "inbox.txt"
DOCUMENTS = INBOX.parent.parent / "handbook"
FOR_CUSTOMERS = (
    "customer-faq.html", "warranty-and-returns.html", "plover-ws3-manual.pdf", "bittern-l4-datasheet.html",
    "price-list-2025.pdf", "fieldbook-release-notes.txt",
)  # fmt: skip
"""Nothing that is meant for employees alone may be quoted to customers."""
COLLECTION = "support"
CODE = re.compile(r"\b(?=\w*[A-Z])(?=\w*\d)\w+\b")
"""Names such as E06 or WS3: what is said of another one is no answer."""
SURE = 0.5
"""Of a topic's score. Of the held-out tickets with more than that 98 % were sorted right."""
HANDED_OVER = (
    "Thank you for writing. This desk answers by itself where our documents do; it has not answered your question. "
    "A colleague reads it now, with what the desk has found."
)


def main(client: Groundwork, tickets: list[str]) -> None:
    """Documents in, heads learnt, then ticket by ticket."""
    print(f"Ingesting {len(FOR_CUSTOMERS)} documents for customers ...")
    client.collections.ensure(COLLECTION)
    batch = ingest_files(client, COLLECTION, [DOCUMENTS / name for name in FOR_CUSTOMERS], timeout=600.0)
    for state in batch.failed:
        raise SystemExit(f"{state.file.name}: {state.failure}")
    print("Learning to sort tickets ...")
    heads = train(client)
    for ticket in tickets:
        handle(client, heads, ticket)


def handle(client: Groundwork, heads: Mapping[str, str], ticket: str) -> list[str]:
    """Answer a ticket or hand it over; why a person has to answer, nothing where the desk did."""
    sorted_as, answer = sort(client, heads, ticket), client.ask(COLLECTION, ticket)
    why = reasons(ticket, sorted_as, answer)
    labels = ", ".join(f"{what} {label.label} ({_sure(label):.0%})" for what, label in sorted_as.items())
    print(f"\nTicket: {ticket}\n  sorted as: {labels}")
    if not why:
        print(f"  to the customer: {_indented(answer.text)}")
        print(*(f"    {line}" for line in citation_lines(answer.citations)), sep="\n")
        return why
    print(f"  to the customer: {HANDED_OVER}\n  to a colleague: {'; '.join(why)}.")
    print(*(f"    {line}" for line in found(answer)), sep="\n")
    return why


def reasons(ticket: str, sorted_as: Mapping[str, Classification], answer: Answer) -> list[str]:
    """Why a person has to answer."""
    report = answer.report
    answered = report is not None and not report.abstained and bool(answer.citations)
    said = " ".join(f"{one.title} {one.quote}" for one in answer.citations)
    unsaid = [code for code in CODE.findall(ticket) if code not in said]
    checks = {
        "the ticket is angry": sorted_as["mood"].label == "angry",
        "it is urgent": sorted_as["urgency"].label == "urgent",
        "the desk is not sure what it is about": _sure(sorted_as["topic"]) < SURE,
        "it asks nothing": "?" not in ticket,
        "the documents do not answer it": not answered,
        "not every sentence has a source": answered and report is not None and not report.grounded,
        f"it names {', '.join(unsaid)}, which the answer's sources do not": answered and bool(unsaid),
    }
    return [reason for reason, holds in checks.items() if holds]


def found(answer: Answer) -> list[str]:
    """What a colleague begins with: the answer that was not sent, or the documents that come near."""
    if answer.report is None or answer.report.abstained:
        closest = answer.report.closest if answer.report else None
        return [f"nothing to quote; the closest documents: {', '.join(one.title for one in closest or []) or 'none'}"]
    return [f"found, and not sent: {_indented(answer.text)}", *citation_lines(answer.citations)]


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _sure(classified: Classification) -> float:
    return classified.scores[classified.label]


if __name__ == "__main__":
    given = sys.argv[1:] or INBOX.read_text(encoding="utf-8").splitlines()
    run(lambda client: main(client, given))
