from __future__ import annotations

from email.message import EmailMessage

from libs.extraction.tests.cases import failure, outline, packed, read

from extraction.formats.catalog import EML


def message(subject: str = "Offer", text: str = "See the list.") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "Ana <ana@example.org>", "bo@example.org"
    made["Date"] = "Fri, 01 Mar 2024 10:00:00 +0000"
    if text:
        made.set_content(text)
    return made


def forwarded(depth: int) -> EmailMessage:
    made = message(f"Level {depth}")
    if depth:
        made.add_attachment(forwarded(depth - 1))
    return made


def test_headers_text_and_attachments_come_in_order() -> None:
    made = message("Größe: Angebot")
    made.add_alternative("<p>See <b>the</b> list.</p>", subtype="html")
    made.add_attachment("Item,Price\nPlover,249\n", subtype="csv", filename="liste 1.csv")
    made.add_attachment(b"\x89PNG....", maintype="image", subtype="png", filename="logo.png")
    document = read(made.as_bytes(), EML)
    assert document.title == "Größe: Angebot"
    headers = "Subject: Größe: Angebot\nFrom: Ana <ana@example.org>\nTo: bo@example.org"
    assert outline(document) == [
        ("paragraph", f"{headers}\nDate: Fri, 01 Mar 2024 10:00:00 +0000"),
        ("paragraph", "See the list."),
        ("heading", "liste 1.csv"),
        ("table", "Item | Price\n-|-\nPlover | 249"),
    ]
    assert document.blocks[-1].heading_path == ("liste 1.csv",)


def test_html_is_read_where_there_is_no_plain_text() -> None:
    made = message(text="")
    made.set_content("<h1>News</h1><p>All well.</p>", subtype="html")
    assert [kind for kind, _ in outline(read(made.as_bytes(), EML))] == ["paragraph", "heading", "paragraph"]
    made = message(text=" ")
    made.add_alternative("<p>Only here.</p>", subtype="html")
    assert "Only here." in read(made.as_bytes(), EML).text


def test_a_message_in_a_charset_or_saved_wide_is_read() -> None:
    made = message(text="")
    made.set_content("Preis: 30 €", charset="iso-8859-15", cte="quoted-printable")
    assert "Preis: 30 €" in read(made.as_bytes(), EML).text
    assert "See the list." in read(message().as_string().encode("utf-16"), EML).text


def test_forwarded_messages_are_read_as_deep_as_anyone_forwards() -> None:
    document = read(forwarded(3).as_bytes(), EML)
    assert document.text.count("See the list.") == 4
    assert document.blocks[-1].heading_path == ("Level 2", "Level 1", "Level 0")
    assert failure(forwarded(9).as_bytes(), EML).code == "too_large"


def test_an_attachment_that_cannot_be_read_fails_the_message_by_name() -> None:
    made = message()
    made.add_attachment(b"%PDF-1.7 broken", maintype="application", subtype="pdf", filename="broken.pdf")
    broken = failure(made.as_bytes(), EML)
    assert broken.code == "malformed"
    assert "'broken.pdf'" in broken.message
    made = message()
    made.add_attachment(
        packed({"a/old.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}), "application", "zip", filename="a.zip"
    )
    old = failure(made.as_bytes(), EML)
    assert old.code == "unsupported"
    assert "'a.zip': In 'a/old.doc'" in old.message


def test_locked_and_empty_messages_say_so() -> None:
    locked = message().as_string().replace("text/plain", "multipart/encrypted")
    assert failure(locked, EML).code == "encrypted"
    assert failure("\n\nno header at all", EML).code == "malformed"
    nested = "Subject: deep\n" + "".join(
        f'Content-Type: multipart/mixed; boundary="b{depth}"\n\n--b{depth}\n' for depth in range(400)
    )
    assert failure(nested, EML).code == "too_large"
