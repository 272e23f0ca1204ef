"""Files of a model on the Hugging Face Hub: which there are, and their bytes, from where an earlier attempt ended.

They are put where `catalog.hub` finds them. huggingface_hub, which has the same layout, begins each call at the first
byte again, so the bytes are received here.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, BinaryIO
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from yarl import URL

from inference.catalog.hub import HUB_FILES, part_names
from inference.catalog.sources import HubSource, Inside, Sha256
from inference.pulls.errors import HubAway, OtherFile, SourceNotFound, SourceRefused

HUB = "https://huggingface.co"
CHUNK = 2**20
LISTING = aiohttp.ClientTimeout(total=30)
RECEIVING = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
Report = Callable[[int], Awaitable[None]]
"""Is told how many bytes are there."""
_Oid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
_Size = Annotated[int, Field(ge=0)]


class HubFile(BaseModel):
    """One file; `digest` is SHA-256 of a large one, else Git's, as the Hub says it."""

    name: Inside
    size: _Size
    digest: Sha256 | _Oid


class HubPlan(BaseModel):
    """What is fetched of a model: files of one commit."""

    huggingface: str
    revision: _Oid
    files: tuple[HubFile, ...]
    ref: str | None = None
    """The branch or tag that the commit was asked for by."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class _Lfs(BaseModel):
    sha256: Sha256
    size: _Size


class _Sibling(BaseModel):
    rfilename: Inside
    size: _Size | None = None
    oid: Annotated[_Oid | None, Field(alias="blobId")] = None
    lfs: _Lfs | None = None


class _Listing(BaseModel):
    sha: _Oid
    siblings: list[_Sibling]


class HubFiles:
    """`folder` is the cache, `url` a mirror or empty; the session goes by the proxies of the environment."""

    def __init__(self, session: aiohttp.ClientSession, url: str, folder: Path) -> None:
        self._session = session
        self._url = (url or HUB).rstrip("/")
        self.folder = folder

    async def plan(self, source: HubSource) -> HubPlan:
        """The files that a source means, now; raises `SourceNotFound`, `SourceRefused`, `OtherFile` or `HubAway`."""
        where = f"/api/models/{source.huggingface}/revision/{quote(source.revision, safe='')}?blobs=true"
        try:
            async with self._get(where, source.huggingface, LISTING) as answer:
                listing = _Listing.model_validate_json(await answer.read())
        except ValidationError:
            raise HubAway("gave a list of files that can't be used") from None
        wanted = _wanted(source, {each.rfilename: each for each in listing.siblings})
        files = tuple(_file(sibling) for sibling in wanted)
        if source.sha256 not in (None, files[0].digest) and len(files[0].digest) == len(source.sha256 or ""):
            raise OtherFile(files[0].name, f"its sha256 on the Hub is {files[0].digest}")
        ref = None if source.revision == listing.sha else source.revision
        return HubPlan(huggingface=source.huggingface, revision=listing.sha, files=files, ref=ref)

    def missing(self, plan: HubPlan, pull_id: str = "") -> int:
        """Bytes that have to come still. Blocks."""
        absent = [file for file in plan.files if not self._blob(plan, file).is_file()]
        return sum(file.size - _size(self._part(plan, file, pull_id)) for file in absent)

    def lacks(self, plan: HubPlan) -> bool:
        """Whether a model would not find all files of a plan. Blocks."""
        snapshot = self._repository(plan) / "snapshots" / plan.revision
        return not all((snapshot / file.name).is_file() for file in plan.files)

    async def fetch(self, plan: HubPlan, pull_id: str, report: Report) -> None:
        """Have all files; raises `OtherFile`, `SourceNotFound`, `SourceRefused`, `HubAway` or `OSError`."""
        before = 0
        for file in plan.files:
            if not await asyncio.to_thread(self._blob(plan, file).is_file):
                await self._fetch(plan, file, pull_id, _after(before, report))
            before += file.size
            await report(before)
        await asyncio.to_thread(self._link, plan)

    def cleanup(self, plan: HubPlan, pull_id: str) -> None:
        """Delete what a pull has of files: those that are not whole, and those that no snapshot has. Blocks."""
        repository = self._repository(plan)
        for part in repository.glob(f"blobs/*.{pull_id}.incomplete"):
            part.unlink(missing_ok=True)
        if any(repository.glob("blobs/*.incomplete")):
            return  # another pull may count on them
        linked = {link.resolve() for link in repository.glob("snapshots/**/*")}
        for blob in (self._blob(plan, file) for file in plan.files):
            if blob.resolve() not in linked:
                blob.unlink(missing_ok=True)

    async def _fetch(self, plan: HubPlan, file: HubFile, pull_id: str, report: Report) -> None:
        part = self._part(plan, file, pull_id)
        await asyncio.to_thread(part.parent.mkdir, parents=True, exist_ok=True)
        while True:
            start = _size(part)
            if start < file.size or not file.size:
                await self._receive(plan, file, part, report)
            if await asyncio.to_thread(_digest, part, file) == file.digest:
                break
            part.unlink()
            if not start:  # what an earlier attempt left may have been damaged; this was all of one attempt
                raise OtherFile(file.name, "its bytes have another digest than the Hub says. They were deleted")
        await asyncio.to_thread(part.replace, self._blob(plan, file))

    async def _receive(self, plan: HubPlan, file: HubFile, part: Path, report: Report) -> None:
        start = _size(part)
        where = f"/{plan.huggingface}/resolve/{plan.revision}/{quote(file.name)}"
        with await asyncio.to_thread(_open, part) as content:
            async with self._get(where, file.name, RECEIVING, start) as answer:
                at = start if answer.status == 206 else 0  # a server may know no ranges
                await asyncio.to_thread(content.seek, at)
                async for chunk in answer.content.iter_any():  # little is held, since what is is lost by a break
                    at += len(chunk)
                    if at > file.size:
                        raise OtherFile(file.name, f"it is longer than the {file.size} bytes that the Hub says")
                    await asyncio.to_thread(_write, content, chunk)
                    await report(at)
            if at < file.size:
                raise HubAway("broke off in the middle of a file")
            await asyncio.to_thread(os.fsync, content.fileno())

    @asynccontextmanager
    async def _get(
        self, where: str, name: str, limits: aiohttp.ClientTimeout, start: int = 0
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        token = await _token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}  # aiohttp leaves it out for another host
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            async with self._session.get(
                URL(self._url + where, encoded=True), headers=headers, timeout=limits
            ) as answer:
                _check(answer, name, start)
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubAway(_why(error)) from None

    def _blob(self, plan: HubPlan, file: HubFile) -> Path:
        return self._repository(plan) / "blobs" / file.digest

    def _repository(self, plan: HubPlan) -> Path:
        return self.folder / f"models--{plan.huggingface.replace('/', '--')}"

    def _part(self, plan: HubPlan, file: HubFile, pull_id: str) -> Path:
        return self._blob(plan, file).with_name(f"{file.digest}.{pull_id}.incomplete")

    def _link(self, plan: HubPlan) -> None:
        for file in plan.files:
            blob = self._blob(plan, file)
            link = blob.parents[1] / "snapshots" / plan.revision / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(os.path.relpath(blob, link.parent))
        if plan.ref is not None:
            self._refer(plan, plan.ref)

    def _refer(self, plan: HubPlan, name: str) -> None:
        """Have a branch or tag mean the commit where no network is, unless it means another that has all files."""
        repository = self._repository(plan)
        ref = repository / "refs" / name
        meant = ref.read_text(encoding="utf-8").strip() if ref.is_file() else None
        if meant is not None and all((repository / "snapshots" / meant / file.name).is_file() for file in plan.files):
            return
        ref.parent.mkdir(exist_ok=True)
        ref.write_text(plan.revision, encoding="utf-8")


def _check(answer: aiohttp.ClientResponse, name: str, start: int) -> None:
    """Raise unless these are the bytes from `start` on, or all."""
    status = answer.status
    if status in (401, 403):
        raise SourceRefused(name)
    if status == 404:
        raise SourceNotFound("source", f"the Hub has no {name} at this revision. Correct it.")
    begins = answer.headers.get("Content-Range", "")
    if status != 200 and not (status == 206 and begins.startswith(f"bytes {start}-")):
        after = answer.headers.get("Retry-After", "")
        raise HubAway(f"answered with status {status}", float(after) if after.isdigit() else None)


def _wanted(source: HubSource, there: dict[str, _Sibling]) -> list[_Sibling]:
    ggufs = sorted(name for name in there if name.endswith(".gguf"))
    which = f"It has {', '.join(ggufs[:20])}." if ggufs else "It has no GGUF files."
    if source.file is not None:
        names = part_names(source.file)
        if missing := [name for name in names if name not in there]:
            raise SourceNotFound("source.file", f"{source.huggingface} has no file {missing[0]}. {which}")
        return [there[name] for name in names]
    names = [name for name in there if any(fnmatch(name, pattern) for pattern in HUB_FILES)]
    if not any(name.endswith(".safetensors") for name in names):
        raise SourceNotFound("source.file", f"{source.huggingface} has no *.safetensors: say which file. {which}")
    return [there[name] for name in names]


def _file(sibling: _Sibling) -> HubFile:
    size, digest = (sibling.lfs.size, sibling.lfs.sha256) if sibling.lfs else (sibling.size, sibling.oid)
    if size is None or digest is None:
        raise HubAway(f"does not say how large {sibling.rfilename} is and what its digest is")
    return HubFile(name=sibling.rfilename, size=size, digest=digest)


def _after(before: int, report: Report) -> Report:
    return lambda at: report(before + at)


def _open(part: Path) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b")


def _write(content: BinaryIO, chunk: bytes) -> None:
    content.write(chunk)
    content.flush()  # none is lost that was received


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest(path: Path, file: HubFile) -> str:
    with path.open("rb") as content:
        if len(file.digest) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest()
        oid = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        while chunk := content.read(CHUNK):
            oid.update(chunk)
        return oid.hexdigest()


async def _token() -> str | None:
    """The operator's, from where Hugging Face's own tools have it."""
    from huggingface_hub import get_token  # takes a moment, and few need it

    return await asyncio.to_thread(get_token)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "said nothing for too long"
    return "can't be reached" if isinstance(error, aiohttp.ClientConnectorError) else "broke off"
