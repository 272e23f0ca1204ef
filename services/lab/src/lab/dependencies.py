"""What the service works with, opened once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.evaluations.judging.live import LiveJudge
from lab.evaluations.service import Evaluations
from lab.generation.service import Generations
from lab.questions.service import QuestionSets
from lab.sweeps.service import Sweeps
from lab.tuning.service import Tuning
from servicekit.core.probes import Probe
from servicekit.sql.database import Database


@dataclass(frozen=True)
class Dependencies:
    """The database, and what is done with it."""

    database: Database
    question_sets: QuestionSets
    evaluations: Evaluations
    sweeps: Sweeps
    live_judge: LiveJudge
    generations: Generations
    tuning: Tuning
    workers: Mapping[str, Probe]
    """Of what works on each kind of job, by its name."""
