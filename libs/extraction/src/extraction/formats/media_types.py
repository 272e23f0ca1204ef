"""What declared types say about a format, and files without text. Content, where it tells, has been asked before."""

from __future__ import annotations

from contracts.formats import CODE, CSV, DOCX, EPUB, HTML, JSON, JSONL, MARKDOWN, PDF, PPTX, SUFFIXES, TEXT, XLSX, ZIP

BY_DECLARATION = {
    **{kind: kind for kind in SUFFIXES},
    "application/xhtml+xml": HTML,
    "text/x-markdown": MARKDOWN,
    "application/csv": CSV,
    "text/json": JSON,
    "application/x-ndjson": JSONL,
    "application/ndjson": JSONL,
    "application/jsonl": JSONL,
    "application/x-zip-compressed": ZIP,
    "text/calendar": TEXT,
    "text/rfc822-headers": TEXT,
    "message/delivery-status": TEXT,
    "application/xml": CODE,
    "text/xml": CODE,
    "text/css": CODE,
    "text/javascript": CODE,
    "application/javascript": CODE,
    "application/x-sh": CODE,
    "text/x-python": CODE,
    "application/yaml": CODE,
    CODE: CODE,
}
OFFICE = (PDF, DOCX, PPTX, XLSX, EPUB)
"""Formats with a parser that tells damage better than a look at the first bytes does."""
_TEXTLESS = """
    png jpg jpeg gif bmp tif tiff webp heic heif avif ico svg psd emf wmf mp3 wav ogg oga flac m4a aac wma mp4 m4v mov
    avi mkv webm wmv mpg mpeg ttf otf woff woff2 eot p7s asc sig
"""
TEXTLESS = frozenset(f".{extension}" for extension in _TEXTLESS.split())
TEXTLESS_KINDS = ("image/", "audio/", "video/", "font/", "application/pkcs7-signature", "application/pgp-signature")
