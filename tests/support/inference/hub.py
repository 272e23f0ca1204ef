"""A Hugging Face Hub of one model on loopback, with ranges, that can break off, hold still, lie or be too busy."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

COMMIT = "c" * 40
LARGE = (".gguf", ".safetensors", ".bin")
PIECE = 2**16


class FakeHub:
    """`org/tiny` with these files. `asked`: each GET of a file's bytes, and the first of them; `sent`: bytes of all."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.url = ""
        self.files = dict(files)
        self.commit = COMMIT
        """Of `main` now; once it has moved, those before are there still."""
        self.commits = {COMMIT}
        self.asked: list[tuple[str, int]] = []
        self.sent = 0
        self.breaks_after: int | None = None
        """Bytes of the next answer."""
        self.status_after: int | None = None
        """`status` from then on."""
        self.holds_after: int | None = None
        """Bytes after which answers stop until `go`."""
        self.held, self.go = asyncio.Event(), asyncio.Event()
        self.lies = 0
        """Answers with other bytes than their digest says."""
        self.status: int | None = None
        """Of every answer, in place of it."""
        self.knows_ranges = True
        self.tokens: list[str | None] = []
        self.app = Starlette(
            routes=[
                Route("/api/models/org/tiny/revision/{revision}", self._info),
                Route("/api/models/org/tiny/tree/{revision}", self._tree),
                Route("/org/tiny/resolve/{revision}/{file:path}", self._resolve, methods=["GET", "HEAD"]),
                Route("/cdn/{file:path}", self._file),
            ]
        )

    @property
    def given(self) -> list[str]:
        """Names of the files that were asked for."""
        return [name for name, _ in self.asked]

    async def _info(self, request: Request) -> Response:
        if self.status is not None:
            return JSONResponse({"error": "no"}, self.status)
        revision = request.path_params["revision"]
        if revision not in ("main", "v1", self.commit, *self.commits):
            return JSONResponse({"error": "Invalid rev id"}, 404)
        siblings = []
        for name, content in self.files.items():
            large = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"rfilename": name, "size": len(content), "blobId": oid}
            siblings.append({**entry, "lfs": large} if name.endswith(LARGE) else entry)
        return JSONResponse(
            {"id": "org/tiny", "sha": revision if revision in self.commits else self.commit, "siblings": siblings}
        )

    async def _tree(self, request: Request) -> Response:
        return JSONResponse(
            [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
        )

    async def _resolve(self, request: Request) -> Response:
        """Large files are elsewhere, as they really are."""
        name = request.path_params["file"]
        self.tokens.append(request.headers.get("Authorization"))
        if self.status is not None:
            return Response(status_code=self.status)
        if name not in self.files:
            return Response(status_code=404, headers={"X-Error-Code": "EntryNotFound"})
        if request.method == "GET" and name.endswith(LARGE) and "Range" not in request.headers:
            return RedirectResponse(f"/cdn/{name}", 302)
        return await self._file(request)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["file"]
        content = self.files[name]
        digest = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": self.commit, "ETag": f'"{digest}"'}
        if request.method == "HEAD":
            return Response(content, headers=headers)
        asked = request.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.knows_ranges else 0
        self.asked.append((name, start))
        if self.lies:
            self.lies -= 1
            content = bytes(len(content))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers["Content-Length"] = str(len(content) - start)
        return StreamingResponse(self._pieces(content[start:]), 206 if start else 200, headers)

    async def _pieces(self, content: bytes) -> AsyncIterator[bytes]:
        breaks, self.breaks_after = self.breaks_after, None
        for at in range(0, len(content), PIECE):
            if breaks is not None and at >= breaks:
                self.status = self.status_after
                raise ConnectionResetError("as it was told")
            if self.holds_after is not None and at >= self.holds_after:
                self.held.set()
                await self.go.wait()
            yield content[at : at + PIECE]
            self.sent += len(content[at : at + PIECE])
