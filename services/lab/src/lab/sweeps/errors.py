"""What can be wrong with a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.documents.documents import Failure
from servicekit.core.errors import Conflict, InvalidRequest, NotFound, QueueFull


class TrialNotFound(NotFound):
    """The tenant has no such sweep."""

    code = "sweep_not_found"

    def __init__(self, trial_id: str) -> None:
        super().__init__(f"There is no sweep '{trial_id[:100]}'. GET /v1/sweeps lists them.", param="id")


class TrialFinished(Conflict):
    """It has ended already."""

    code = "sweep_finished"

    def __init__(self, trial_id: str, status: str) -> None:
        super().__init__(f"The sweep '{trial_id}' has ended already ({status}).")


class TrialUnfinished(Conflict):
    """It is still queued or at work."""

    code = "sweep_unfinished"

    def __init__(self, trial_id: str) -> None:
        super().__init__(f"The sweep '{trial_id}' has not ended. Cancel it first.")


class TooManySweeps(QueueFull):
    """As many are queued or at work as may be."""

    code = "too_many_sweeps"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} sweeps of this tenant are queued or at work, which is the most. Wait for one, or cancel one.",
            retry_after=60,
        )


class TooManyCombinations(InvalidRequest):
    """More combinations than one sweep may have."""

    code = "too_many_combinations"

    def __init__(self, count: int, most: int) -> None:
        super().__init__(
            f"These settings make {count} combinations with the one that serves; a sweep has {most} at most. Try fewer "
            "values, or what matters most first and the rest in a second sweep.",
            param="settings",
        )


class NothingToTry(InvalidRequest):
    """The settings are those that serve."""

    code = "nothing_to_try"

    def __init__(self, served: str) -> None:
        super().__init__(
            f"The collection is searched so already ({served}), and no other combination is given. Add values to try.",
            param="settings",
        )


class TriedModelUnknown(InvalidRequest):
    """No such model is to be tried."""

    code = "model_not_found"

    def __init__(self, name: str, kind: str, known: Sequence[str]) -> None:
        others = ", ".join(known[:10]) or "none"
        super().__init__(
            f"There is no {kind} model '{name[:128]}' that this key may use; there is {others}. GET /v1/models lists "
            "them.",
            param=f"settings.{kind}_model",
        )


class CollectionTooLarge(InvalidRequest):
    """Indexes of so much are not built to be tried."""

    code = "collection_too_large"

    def __init__(self, name: str, chunks: int, most: int) -> None:
        super().__init__(
            f"The collection '{name}' has {chunks} chunks, and a sweep builds an index for each chunk size and "
            f"embedding model of at most {most} (LAB_SWEEPS_CHUNKS). Try them on a collection with a part of the "
            "documents, then reindex this one.",
            param="settings",
        )


class OverlapTooLarge(InvalidRequest):
    """Chunks can't be so short."""

    code = "overlap_too_large"

    def __init__(self, name: str, size: int, overlap: int) -> None:
        super().__init__(
            f"Chunks of the collection '{name}' overlap by {overlap} tokens, which is at most half of a chunk: "
            f"{size} is too short for it. Try sizes from {2 * overlap} on, or reindex it with less overlap first.",
            param="settings.chunk_size",
        )


class TooFewQuestions(InvalidRequest):
    """A part of the questions could not decide anything."""

    code = "too_few_questions"

    def __init__(self, name: str, version: int, split: str | None, count: int, measure: str) -> None:
        where = "a half of its questions" if split is None else f"its split '{split}'"
        super().__init__(
            f"Version {version} of the question set '{name}' has {count} questions in {where} of which '{measure}' is "
            "defined, by their documents or answers. Fewer than 6 can't tell a difference from luck, neither where one "
            "is chosen nor where it is confirmed. Add questions: groundwork questions generate makes some.",
            param="question_set",
        )


class TrialBroken(InvalidRequest):
    """A combination that others are compared with, or that was chosen, could not be evaluated."""

    code = "sweep_broken"

    def __init__(self, combination: str, failure: Mapping[str, Any] | None) -> None:
        why = "its evaluation was cancelled or deleted" if failure is None else str(failure["message"])[:500]
        super().__init__(
            f"The evaluation of '{combination}' did not end well: {why} Mend that, and start another sweep."
        )


class TrialWeakened(TrialBroken):
    """What others are compared with, or what was chosen, was searched without a part of its settings."""

    def __init__(self, combination: str, without: str) -> None:
        InvalidRequest.__init__(
            self,
            f"'{combination}' was searched without {without}, so that what was measured is another setting's. See "
            "that the service behind it runs and has time enough, and start this sweep again.",
        )


class IndexNotBuilt(TrialBroken):
    """An index that was to be tried is not there."""

    def __init__(self, combination: str, failure: Failure | None) -> None:
        why = "its reindex was cancelled." if failure is None else failure.message[:500]
        InvalidRequest.__init__(
            self, f"The index of '{combination}' was not built: {why} Mend that, and start another sweep."
        )


class NothingToApply(Conflict):
    """No combination is significantly better where it was confirmed, or it is applied already."""

    code = "nothing_to_apply"

    def __init__(self, trial_id: str, verdict: str) -> None:
        super().__init__(
            f"The sweep '{trial_id}' has nothing to apply that is not applied already: {verdict[:600]} Only what is "
            "significantly better on questions that did not choose it is applied."
        )


class NothingApplied(Conflict):
    """There is nothing to undo."""

    code = "nothing_applied"

    def __init__(self, trial_id: str) -> None:
        super().__init__(f"Nothing that the sweep '{trial_id}' found is applied, so that there is nothing to undo.")


class CollectionChanged(Conflict):
    """Somebody changed the collection since."""

    code = "collection_changed"

    def __init__(self, name: str, there: str, expected: str) -> None:
        super().__init__(
            f"The collection '{name}' is searched otherwise by now ({there}, where it was {expected}), so that what "
            "was measured does not hold. Start another sweep, or change the collection itself.",
            param="collection",
        )


class CollectionReplaced(Conflict):
    """Another collection has the name by now."""

    code = "collection_replaced"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The collection '{name}' was made after this sweep was started, so that another one was measured. Start "
            "another sweep.",
            param="collection",
        )
