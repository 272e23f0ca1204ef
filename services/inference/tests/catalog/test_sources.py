from __future__ import annotations

import pytest
from pydantic import ValidationError

from inference.catalog.sources import HubSource


@pytest.mark.parametrize("revision", ["main", "v1.0", "_draft", "0123456789abcdef0123456789abcdef01234567"])
def test_a_revision_is_a_branch_a_tag_or_a_commit(revision: str) -> None:
    assert HubSource(huggingface="org/name", revision=revision).revision == revision


@pytest.mark.parametrize("revision", ["..", ".", ".hidden", "-x", "a/b", ""])
def test_a_revision_names_no_other_folder(revision: str) -> None:
    with pytest.raises(ValidationError, match="revision"):
        HubSource(huggingface="org/name", revision=revision)
