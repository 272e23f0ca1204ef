"""Whether what was learnt is worth being served: better at what it learnt, and not worse at what else is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.improvement.tuning import NotPublished
from lab.evaluations.comparison import Difference

MARGIN = 0.1
"""By which share of its loss on the general set a model may be worse: any training moves every loss a little, and some
forty questions are enough to see it."""

LEAST = 6
"""General questions that must have been compared: of fewer not even all together can be significantly worse."""
ASKED = frozenset(("supervised", "dpo", "reading", "rerank"))
"""Methods whose models are asked in general."""


def general_of(found: Difference | None) -> Mapping[str, Any]:
    """What a job's result says of the general set; nothing where none was asked."""
    if found is None:
        return {"general": None, "general_questions": 0, "forgotten": False}
    forgotten = found.verdict == "worse" and abs(found.difference) > MARGIN * abs(found.second)
    allowed = f", of which {MARGIN * abs(found.second):.2g} are allowed" if found.verdict == "worse" else ""
    return {"general": found.words + allowed, "general_questions": found.questions, "forgotten": forgotten}


def quality_gate(row: Mapping[str, Any]) -> NotPublished | None:
    """Why a job's result is kept and not served; None where it is better, and not worse elsewhere."""
    result, by_hand = row["result"], f"POST /v1/fine_tuning/jobs/{row['id']}/publish serves it all the same."
    if not row["options"].get("publish", True):
        return NotPublished(code="publish_off", message=f'The job says "publish": false. {by_hand}')
    if result["verdict"] != "better":
        said = result["words"] or "no question could be compared"
        return NotPublished(
            code="not_better",
            message=f"On what was held out it is not significantly better than the model that it began as ({said}). "
            f"Add questions, or change how it learns. {by_hand}",
        )
    if row["method"] in ASKED and result.get("general_questions", 0) < LEAST:
        return NotPublished(
            code="general_unknown",
            message=f"Fewer than {LEAST} questions of the general set could be compared, so that nobody knows what it "
            "has forgotten: the others have no answer, or are longer than 'max_tokens'. Name another 'general_file', "
            f"or choose more 'max_tokens'. {by_hand}",
        )
    if result.get("forgotten"):
        return NotPublished(
            code="worse_in_general",
            message=f"On the general set it is worse than the model that it began as ({result['general']}): it has "
            f"forgotten. Choose fewer epochs, a smaller rate or rank, or more varied questions. {by_hand}",
        )
    return None
