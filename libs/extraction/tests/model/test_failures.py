from __future__ import annotations

import errno
import zipfile
import zlib
from typing import get_args

import pytest

from extraction.model.failures import (
    FailureCode,
    ParseFailed,
    chunking_timed_out,
    crashed,
    encrypted,
    is_damage,
    malformed,
    no_text,
    timed_out,
    too_large,
    too_many_pages,
)


@pytest.mark.parametrize("error", [zipfile.BadZipFile(), zlib.error(), ValueError(), EOFError(), RuntimeError()])
def test_what_a_parser_stumbles_over_is_the_documents_damage(error: Exception) -> None:
    assert is_damage(error)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EILSEQ])
def test_an_impossible_place_in_a_file_is_damage_though_the_system_says_so(number: int) -> None:
    assert is_damage(OSError(number, "as the system has it"))


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM]
)
def test_the_machines_trouble_is_no_documents_fault(number: int) -> None:
    assert not is_damage(OSError(number, "as the system has it"))


def test_a_full_limit_of_ours_is_no_damage() -> None:
    assert not is_damage(OSError(errno.EFBIG, "file too large"))


FAILURES = [
    malformed("PDF"),
    encrypted("PDF"),
    no_text(),
    too_many_pages(12_345, 2_000),
    too_large(),
    timed_out(2.5),
    chunking_timed_out(60.0),
    crashed(),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.message[:30])
def test_each_failure_says_what_to_do_about_it(failure: ParseFailed) -> None:
    assert failure.code in get_args(FailureCode)
    assert failure.message.endswith(".")
    assert len(failure.message.split(". ")) > 1, "a fact, and what to do"
    assert str(failure) == failure.message


def test_numbers_are_said_as_people_write_them() -> None:
    assert "12,345 pages; at most 2,000" in too_many_pages(12_345, 2_000).message
    assert "longer than 2.5 s" in timed_out(2.5).message
    assert "longer than 60 s" in chunking_timed_out(60.0).message
