"""What guards find in whole texts and in streams of any pieces: samples of every kind, as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from libs.servicekit.tests.guards.samples import IBANS, WRITTEN

from servicekit.guards.detectors import PersonalData


@pytest.mark.parametrize("written", WRITTEN)
def test_ibans_of_every_country_are_found_in_every_way_of_writing(written: Callable[[str], str]) -> None:
    for iban in IBANS:
        text = f"Pay {written(iban)} please."
        assert "iban" in {finding.kind for finding in PersonalData().find(text)}, text
