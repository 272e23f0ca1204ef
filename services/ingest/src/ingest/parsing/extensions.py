"""What file names and declared types say about a format. Content, where it tells, has been asked before."""

from __future__ import annotations

from ingest.parsing.formats import (
    CODE,
    CSV,
    DOCX,
    EML,
    EPUB,
    HTML,
    JSON,
    JSONL,
    MARKDOWN,
    PDF,
    PPTX,
    TEXT,
    TSV,
    XLSX,
    ZIP,
)

_DOCUMENTS = {
    PDF: "pdf",
    DOCX: "docx docm dotx dotm",
    PPTX: "pptx pptm ppsx ppsm potx potm",
    XLSX: "xlsx xlsm xltx xltm",
    HTML: "html htm xhtml",
    MARKDOWN: "md markdown mdown mdx",
    TEXT: "txt text log rst adoc asciidoc org tex srt vtt ics vcf",
    CSV: "csv",
    TSV: "tsv tab",
    JSON: "json geojson ipynb webmanifest",
    JSONL: "jsonl ndjson",
    EPUB: "epub",
    EML: "eml",
    ZIP: "zip",
}
_CODE = """
    asm awk bash bat bzl c cc cfg clj cljs cmake cmd conf cpp cs css cxx dart diff dockerfile ejs el elm env erl ex exs
    f90 fish fs go gradle graphql groovy h hbs hcl hh hpp hrl hs ini java jinja jinja2 jl js jsonc json5 jsx kt kts less
    lisp lua m mjs cjs mk ml mm nim nix nxml patch php pl plist pm properties proto ps1 psm1 pxd py pyi pyx r rake rb rs
    sass scala scm scss sh sol sql svelte swift tcl tf tfvars thrift toml ts tsx v vb vhd vue xml xsd xsl xslt yaml yml
    zig zsh
"""
BY_EXTENSION = {
    **{f".{extension}": kind for kind, extensions in _DOCUMENTS.items() for extension in extensions.split()},
    **{f".{extension}": CODE for extension in _CODE.split()},
}
BY_NAME = dict.fromkeys(
    (
        *("makefile", "dockerfile", "jenkinsfile", "vagrantfile", "rakefile", "gemfile", "procfile", "cmakelists.txt"),
        *(".gitignore", ".dockerignore", ".editorconfig", ".gitattributes", ".env"),
    ),
    CODE,
)
BY_DECLARATION = {
    **{kind: kind for kind in _DOCUMENTS},
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
