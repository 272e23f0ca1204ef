"""A collection in memory, for tests of what keeps one in step with a folder: uploads, lists, deletes and ends jobs."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cli.tests.server import collection, document, error, job, page


@dataclass
class DocumentsServer:
    """Keeps documents by id; `refuse` gives an answer to uploads of a file name instead."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    refuse: dict[str, httpx2.Response] = field(default_factory=dict)
    outcome: dict[str, str] = field(default_factory=dict)
    """How the jobs of a file name end; `ready` unless it says otherwise."""
    unread: dict[str, list[int]] = field(default_factory=dict)
    """Pages of a file name that are pictures and were not read."""
    unreadable: bool = False
    """It knows what has failed to be unreadable, and does not try it again."""
    away: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one call."""
        with self.lock:
            if self.away:
                raise httpx2.ConnectError("refused")
            return self._answer(request)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        parts = request.url.path.strip("/").split("/")
        if parts[1] == "jobs":
            return self._jobs(parts, request)
        if request.method == "POST":
            return self._upload(request)
        if request.method == "DELETE":
            gone = self.documents.pop(parts[-1], None)
            return httpx2.Response(204) if gone else error(404, "document_not_found")
        if len(parts) == 3:
            return httpx2.Response(200, json=collection(documents=len(self.documents)))
        if len(parts) == 5:
            found = self.documents.get(parts[-1])
            return httpx2.Response(200, json=found) if found else error(404, "document_not_found")
        words = request.url.params.get("q", "")
        return page(*(each for each in self.documents.values() if words in each["id"]))

    def _jobs(self, parts: list[str], request: httpx2.Request) -> httpx2.Response:
        if len(parts) == 2:
            return page(*self.jobs.values())
        return httpx2.Response(200, json=self.jobs[parts[2]]) if parts[2] in self.jobs else error(404, "job_not_found")

    def _upload(self, request: httpx2.Request) -> httpx2.Response:
        head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
        message: Any = email.message_from_bytes(head + request.read(), policy=email.policy.HTTP)
        fields: dict[str, str] = {}
        name, content = "", b""
        for part in message.iter_parts():
            if part.get_filename():
                name, content = part.get_filename(), part.get_payload(decode=True)
            else:
                fields[part.get_param("name", header="content-disposition")] = part.get_payload(decode=True).decode()
        self.uploads.append(name)
        if name in self.refuse:
            return self.refuse[name]
        return self._keep(fields, name, content)

    def _keep(self, fields: dict[str, str], name: str, content: bytes) -> httpx2.Response:
        digest, key = hashlib.sha256(content).hexdigest(), fields["document_id"]
        before = self.documents.get(key)
        if before is not None and before["sha256"] == digest and (self.unreadable or before["status"] != "failed"):
            return httpx2.Response(200, json={"document": before, "job": None, "unchanged": True})
        outcome = self.outcome.get(name, "ready")
        revision = before["revision"] + 1 if before else 1
        more = {
            "sha256": digest,
            "bytes": len(content),
            "revision": revision,
            "metadata": json.loads(fields["metadata"]),
            "unread_pages": self.unread.get(name, []),
        }
        failure = {"code": "no_text", "message": "There is no text."} if outcome == "failed" else None
        self.documents[key] = document(outcome, id=key, source=name, error=failure, **more)
        self.contents[key] = content
        job_id = f"job-{len(self.uploads)}"
        self.jobs[job_id] = job(outcome, "done", id=job_id, document_id=key, error=failure, pages_total=9)
        return httpx2.Response(202, json={"document": self.documents[key], "job": self.jobs[job_id]})
