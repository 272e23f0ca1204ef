"""Metrics of the lab, beside those that every service has.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_lab_question_sets_saved_total | outcome | saves of question sets: a `version`, `unchanged`, `refused` |
"""

from __future__ import annotations

from prometheus_client import Counter

from servicekit.telemetry.metrics import begin_at_zero

SAVED = Counter("groundwork_lab_question_sets_saved_total", "Saves of question sets by outcome.", ("outcome",))

begin_at_zero(SAVED, ("version", "unchanged", "refused"))
