"""Questions and sentences on made-up tables: the cell of the row that is asked for, not that of its neighbour."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from research.reader.examples import CONTRADICTED, NEITHER, SUPPORTED, Example, Span, words

Value = Callable[[random.Random], str]


def _money(chance: random.Random) -> str:
    amount = chance.choice(
        [f"{chance.randint(2, 99)}.{chance.choice(['00', '50', '90', '20'])}", chance.randint(2, 9900)]
    )
    return chance.choice(["{} EUR", "${}", "£{}", "{} euros", "CHF {}"]).format(amount)


def _span_of_time(chance: random.Random) -> str:
    return f"{chance.randint(2, 60)} {chance.choice(['days', 'weeks', 'months', 'hours', 'minutes', 'years'])}"


def _percent(chance: random.Random) -> str:
    return f"{chance.randint(1, 99)}{chance.choice(['%', ' percent', '.5 %'])}"


def _date(chance: random.Random) -> str:
    months = words("January March April May July September October December")
    return f"{chance.randint(1, 28)} {chance.choice(months)}{chance.choice(['', f' {chance.randint(1990, 2030)}'])}"


def _clock(chance: random.Random) -> str:
    return f"{chance.randint(6, 23)}:{chance.choice(['00', '15', '30', '45'])}"


def _phone(chance: random.Random) -> str:
    return f"extension {chance.randint(100, 9999)}"


def _person(chance: random.Random) -> str:
    first = words("Ada Bram Chloe Dario Elif Farid Greta Hana Igor Jonas Kaja Lena Milo Nora Omar Petra Rosa Tom")
    last = words("Abel Brandt Costa Dijk Ekholm Fischer Garcia Ito Jansen Kaya Lopez Moreau Novak Okafor Quist")
    return f"{chance.choice(first)} {chance.choice(last)}"


def _yes(chance: random.Random) -> str:
    return chance.choice(["yes", "no", "on request", "included", "not included"])


ATTRIBUTES: dict[str, tuple[Value, tuple[str, ...]]] = {
    "Price": (_money, ("how much is {}", "What does {} cost?", "price of {}", "what do i pay for {}")),
    "Deposit": (_money, ("What is the deposit for {}?", "how much deposit for {}")),
    "Late fee": (_money, ("What is charged when {} is late?", "late fee {}")),
    "Notice period": (_span_of_time, ("What is the notice period for {}?", "how long before must i cancel {}")),
    "Delivery time": (_span_of_time, ("How long does delivery of {} take?", "when will i get {}")),
    "Warranty": (_span_of_time, ("How long is {} under warranty?", "guarantee on {}")),
    "Discount": (_percent, ("What discount applies to {}?", "how much off for {}")),
    "Share of sales": (_percent, ("What share of sales did {} have?", "{} share of sales")),
    "Deadline": (_date, ("By when must {} be handed in?", "deadline {}", "until when can i still do {}")),
    "Start": (_date, ("When does {} start?", "start date {}")),
    "Opens": (_clock, ("When does {} open?", "what time does {} open")),
    "Closes": (_clock, ("When does {} close?", "how long is {} open")),
    "Phone": (_phone, ("Who do I call about {}?", "phone number {}")),
    "Contact": (_person, ("Who is responsible for {}?", "who do i ask about {}")),
    "Refundable": (_yes, ("Can I get my money back for {}?", "Is {} refundable?")),
    "Breakfast": (_yes, ("Is breakfast included in {}?", "do i get breakfast with {}")),
}
SUBJECTS = {
    "Ticket": "Day ticket,Evening ticket,Family ticket,Group ticket,Season ticket,Night train,Student pass",
    "Room": "Single room,Double room,Attic suite,Garden room,Seminar room,Blue hall,Studio 4,Loft",
    "Course": "Pottery for beginners,Spanish A2,First aid,Welding,Choir,Watercolours,Yoga at noon,Chess club",
    "Branch": "Harbour branch,Old Town,Airport,North station,Riverside,Mill Lane,Lyon,Porto,Gdansk,Bergen",
    "Device": "Router R2,Laptop 14,Headset,Label printer,Scanner S-40,Tablet,Docking station,Field phone",
    "Service": "Express parcel,Standard parcel,Freight,Bicycle courier,Storage,Window cleaning,Tyre change",
    "Product": "Rye loaf,Oat milk,Goat cheese,Plum jam,Linen shirt,Felt slippers,Desk lamp,Rain barrel",
    "Form": "Expense claim,Holiday request,Sick note,Travel request,Parking permit,Name change,Building permit",
    "Country": "Spain,Norway,Poland,Ireland,Austria,Portugal,Estonia,Greece,Chile,Japan",
    "Year": "2016,2017,2018,2019,2020,2021,2022,2023,2024,2025",
    "Team": "Night shift,Kitchen,Reception,Workshop,Payroll,Field service,Quality,Legal",
}
TITLES = ("Price List", "Overview", "Conditions", "Handbook", "Annual Report", "Terms", "At a glance", "Fees", "Rules")


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first cell names the row."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def text(self, left_out: int | None = None) -> str:
        """Under its title, without one row."""
        shown = [row for at, row in enumerate(self.rows) if at != left_out]
        return "\n".join((self.title, *(" | ".join(row) for row in (self.header, *shown))))

    def cell(self, row: int, column: int) -> Span:
        """Characters of it in `text()`."""
        before = [self.title, *(" | ".join(one) for one in (self.header, *self.rows[:row]))]
        start = sum(len(line) + 1 for line in before) + sum(len(cell) + 3 for cell in self.rows[row][:column])
        return start, start + len(self.rows[row][column])


def tables(count: int, chance: random.Random) -> Iterator[Example]:
    """Of so many tables, five examples each."""
    for _ in range(count):
        kind, listed = chance.choice(list(SUBJECTS.items()))
        subjects = chance.sample(listed.split(","), chance.randint(4, 7))
        *columns, absent = chance.sample(list(ATTRIBUTES), chance.randint(2, 4))
        shown, stranger = subjects[:-1], subjects[-1]
        rows = [[one, *(ATTRIBUTES[column][0](chance) for column in columns)] for one in shown]
        yield from _examples(Table(chance.choice(TITLES), [kind, *columns], rows), stranger, absent, chance)


def _examples(table: Table, stranger: str, absent: str, chance: random.Random) -> Iterator[Example]:
    row, column = chance.randrange(len(table.rows)), chance.randrange(1, len(table.header))
    name, value, text = table.rows[row][0], table.rows[row][column], table.text()
    question = _asked(table.header[column], name, chance)
    yield Example(question, text, answers=True, span=table.cell(row, column), fits=True)
    yield chance.choice(
        [
            Example(question, table.text(left_out=row), answers=False),
            Example(_asked(table.header[column], stranger, chance), text, answers=False),
            Example(_asked(absent, name, chance), text, answers=False),
        ]
    )
    said = f"The {table.header[column].lower()} {chance.choice(['of', 'for'])} {name} is {{}}."
    yield Example(said.format(value), text, support=SUPPORTED)
    others = [one[column] for one in table.rows if one[column] != value]
    if others:
        yield Example(said.format(chance.choice(others)), text, support=CONTRADICTED)
    yield Example(said.format(value), table.text(left_out=row), support=NEITHER)


def _asked(attribute: str, name: str, chance: random.Random) -> str:
    if chance.random() < 0.4:
        name = name.lower()
    return chance.choice(ATTRIBUTES[attribute][1]).format(name)
