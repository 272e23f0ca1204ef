"""The formats that can be read, one entry each: all that has to be written for a new one, beside its parser.

What the command line sends, what an upload is taken for, what reads it and what the pages say follow from this.
"""

from __future__ import annotations

from extraction.formats.format import Format, Registry

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
_SOURCE_CODE = """
    asm awk bash bat bzl c cc cfg clj cljs cmake cmd conf cpp cs css cxx dart diff dockerfile ejs el
    elm env erl ex exs f90 fish fs go gradle graphql groovy h hbs hcl hh hpp hrl hs ini java jinja
    jinja2 jl js jsonc json5 jsx kt kts less lisp lua m mjs cjs mk ml mm nim nix nxml patch php pl
    plist pm properties proto ps1 psm1 pxd py pyi pyx r rake rb rs sass scala scm scss sh sol sql
    svelte swift tcl tf tfvars thrift toml ts tsx v vb vhd vue xml xsd xsl xslt yaml yml zig zsh
"""

FORMATS = Registry(
    [
        Format(
            media_type=PDF,
            label="PDF",
            suffixes="pdf",
            magic=b"%PDF-",
            magic_window=1024,
            diagnoses=True,
            parser="extraction.pdf.parser",
        ),
        Format(
            media_type=DOCX,
            label="DOCX",
            suffixes="docx docm dotx dotm",
            folder="word/",
            diagnoses=True,
            parser="extraction.office.docx",
        ),
        Format(
            media_type=PPTX,
            label="PPTX",
            suffixes="pptx pptm ppsx ppsm potx potm",
            folder="ppt/",
            diagnoses=True,
            parser="extraction.office.pptx",
        ),
        Format(
            media_type=XLSX,
            label="XLSX",
            suffixes="xlsx xlsm xltx xltm",
            folder="xl/",
            diagnoses=True,
            parser="extraction.office.xlsx",
        ),
        Format(
            media_type=EPUB,
            label="EPUB",
            suffixes="epub",
            member="meta-inf/container.xml",
            diagnoses=True,
            parser="extraction.text.epub",
        ),
        Format(media_type=EML, label="EML", suffixes="eml", nesting="messages", parser="extraction.containers.message"),
        Format(
            media_type=HTML,
            label="HTML",
            suffixes="html htm xhtml",
            declared="application/xhtml+xml",
            is_text=True,
            parser="extraction.text.html",
        ),
        Format(
            media_type=MARKDOWN,
            label="Markdown",
            suffixes="md markdown mdown mdx",
            declared="text/x-markdown",
            is_text=True,
            parser="extraction.text.markdown",
        ),
        Format(
            media_type=TEXT,
            label="plain text",
            suffixes="txt text log rst adoc asciidoc org tex srt vtt ics vcf",
            declared="text/calendar text/rfc822-headers message/delivery-status",
            is_text=True,
            parser="extraction.text.plain",
        ),
        Format(
            media_type=CSV,
            label="CSV",
            suffixes="csv",
            declared="application/csv",
            is_text=True,
            parser="extraction.text.delimited",
        ),
        Format(media_type=TSV, label="TSV", suffixes="tsv tab", is_text=True, parser="extraction.text.delimited"),
        Format(
            media_type=JSON,
            label="JSON",
            suffixes="json geojson ipynb webmanifest",
            declared="text/json",
            is_text=True,
            parser="extraction.text.records",
        ),
        Format(
            media_type=JSONL,
            label="JSON lines",
            suffixes="jsonl ndjson",
            declared="application/x-ndjson application/ndjson",
            is_text=True,
            parser="extraction.text.records",
        ),
        Format(
            media_type=CODE,
            label="source code",
            suffixes=_SOURCE_CODE,
            names="makefile dockerfile jenkinsfile vagrantfile rakefile gemfile procfile"
            " .gitignore .dockerignore .editorconfig .gitattributes .env",
            declared="application/xml text/xml text/css text/javascript application/javascript application/x-sh"
            " text/x-python application/yaml",
            is_text=True,
            parser="extraction.text.code",
        ),
        Format(
            media_type=ZIP,
            label="ZIP of these",
            suffixes="zip",
            declared="application/x-zip-compressed",
            nesting="archives",
            parser="extraction.containers.archive",
        ),
    ]
)
"""In the order in which they are listed to people."""


def media_type_of(name: str) -> str | None:
    """The media type of a file with this name; null where the name tells of no document."""
    found = FORMATS.by_name(name)
    return found.media_type if found else None
