"""An upload as multipart/form-data: its fields read and checked."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from contracts.core.base import DocumentId, Title
from contracts.core.validation import what_is_wrong
from contracts.documents.documents import Metadata
from ingest.documents.submission import Submission, check_metadata, clean_filename
from ingest.errors import InvalidField

_FIELDS = frozenset(("file", "metadata", "document_id", "title"))
_TITLE: TypeAdapter[str] = TypeAdapter(Title)
_DOCUMENT_ID: TypeAdapter[str] = TypeAdapter(DocumentId)
_METADATA: TypeAdapter[Metadata] = TypeAdapter(Metadata)
_NO_OBJECT = 'must be a JSON object, for example {"team": "hr"}'


def from_form(form: FormData) -> Submission:
    """What a form submits; raises `InvalidField`."""
    for name in form:
        if name not in _FIELDS:
            raise InvalidField(name, "there is no such field; use file, metadata, document_id and title")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidField("file", "a part named 'file' with a file is needed. For example: curl -F file=@handbook.pdf")
    filename = clean_filename(file.filename or "")
    given = _field(form, "document_id")
    return Submission(
        content=file.file,
        filename=filename,
        declared=(file.content_type or "").partition(";")[0].strip().lower(),
        title=_checked(_TITLE, "title", _field(form, "title")),
        fallback_title=PurePosixPath(filename).stem.strip() or given or "Untitled",
        source=filename or "upload",
        metadata=_metadata(_field(form, "metadata")),
        document_id=_checked(_DOCUMENT_ID, "document_id", given),
    )


def _field(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise InvalidField(name, "must be a plain form field, not a file")
    return value or None


def _checked(adapter: TypeAdapter[str], name: str, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return adapter.validate_python(value) or None
    except ValidationError as error:
        raise InvalidField(name, what_is_wrong(error.errors()[0])) from None


def _metadata(value: str | None) -> Metadata:
    if value is None:
        return {}
    try:
        metadata = _METADATA.validate_python(json.loads(value))
    except ValidationError as error:
        first = error.errors()[0]
        what = what_is_wrong(first) if first["type"] == "value_error" else _NO_OBJECT
        raise InvalidField("metadata", what) from None
    except (ValueError, RecursionError):
        raise InvalidField("metadata", _NO_OBJECT) from None
    check_metadata(metadata)
    return metadata
