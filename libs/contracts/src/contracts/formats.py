"""The formats of documents that can be read: media types, and what files of them are called."""

from __future__ import annotations

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EPUB = "application/epub+zip"
EML = "message/rfc822"
ZIP = "application/zip"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/jsonl"
CODE = "text/x-source"
SUFFIXES = {
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
"""Suffixes of documents' files, by media type."""
_CODE = """
    asm awk bash bat bzl c cc cfg clj cljs cmake cmd conf cpp cs css cxx dart diff dockerfile ejs el elm env erl ex exs
    f90 fish fs go gradle graphql groovy h hbs hcl hh hpp hrl hs ini java jinja jinja2 jl js jsonc json5 jsx kt kts less
    lisp lua m mjs cjs mk ml mm nim nix nxml patch php pl plist pm properties proto ps1 psm1 pxd py pyi pyx r rake rb rs
    sass scala scm scss sh sol sql svelte swift tcl tf tfvars thrift toml ts tsx v vb vhd vue xml xsd xsl xslt yaml yml
    zig zsh
"""
BY_SUFFIX = {
    **{f".{extension}": kind for kind, extensions in SUFFIXES.items() for extension in extensions.split()},
    **{f".{extension}": CODE for extension in _CODE.split()},
}
"""Media types by a file's suffix, in small letters with its dot."""
BY_NAME = dict.fromkeys(
    (
        *("makefile", "dockerfile", "jenkinsfile", "vagrantfile", "rakefile", "gemfile", "procfile", "cmakelists.txt"),
        *(".gitignore", ".dockerignore", ".editorconfig", ".gitattributes", ".env"),
    ),
    CODE,
)
"""The same of files that have no suffix, by their names in small letters."""


def media_type_of(name: str) -> str | None:
    """The media type of a file with this name; None where the name tells of no document."""
    base = name.rsplit("/", 1)[-1].lower()
    stem, dot, suffix = base.rpartition(".")
    return BY_NAME.get(base) or (BY_SUFFIX.get(f".{suffix}") if stem and dot else None)
