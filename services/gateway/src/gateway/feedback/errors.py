"""What can be wrong with feedback and reviews."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class LabelUnknown(InvalidRequest):
    """A label that is not of the tenant's set."""

    code = "unknown_label"

    def __init__(self, label: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no label '{label}'. Take one of: {', '.join(known)}.", param="labels")


class UserReserved(InvalidRequest):
    """The name of a person looks like the id of a key."""

    code = "user_reserved"

    def __init__(self) -> None:
        super().__init__(
            "A user can't begin with 'key_', as ids of keys do: who gives no user speaks as their key.", param="user"
        )


class CitationMissing(InvalidRequest):
    """The answer has not so many citations."""

    code = "citation_not_found"

    def __init__(self, citations: int) -> None:
        super().__init__(f"This answer has {citations} citations, counted from 0.", param="part")


class FeedbackNotFound(NotFound):
    """No feedback with this id that the key may see."""

    code = "feedback_not_found"

    def __init__(self, feedback_id: str) -> None:
        super().__init__(f"There is no feedback '{feedback_id[:100]}'. GET /v1/feedback lists it.", param="id")


class FeedbackUnnamed(InvalidRequest):
    """A deletion that says neither whose nor of what."""

    code = "feedback_unnamed"

    def __init__(self) -> None:
        super().__init__("Say whose feedback is deleted (?user=) or of which answer (?answer_id=).", param="user")


class WholeTenantNeeded(Forbidden):
    """What concerns all answers of a tenant, asked for with a key that is limited to some."""

    code = "key_limited"

    def __init__(self) -> None:
        super().__init__(
            "This call is about all answers of the tenant, and this key is limited to some models or collections. Use "
            "a key with the scope 'feedback:review' that is not."
        )


class ReviewNotFound(NotFound):
    """No review with this id."""

    code = "review_not_found"

    def __init__(self, review_id: str) -> None:
        super().__init__(f"There is no review '{review_id[:100]}'. GET /v1/reviews lists them.", param="id")


class ReviewNotYours(Conflict):
    """The lease has ended and somebody else has the review, or nobody ever took it."""

    code = "review_not_yours"

    def __init__(self) -> None:
        super().__init__("This review is not assigned to you (any more). Take one with POST /v1/reviews/next.")


class ReviewEnded(Conflict):
    """It was done or skipped already."""

    code = "review_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"This review has ended as {state}. Take another one with POST /v1/reviews/next.")


class NotJudged(Conflict):
    """Done, though nothing was said of the answer."""

    code = "not_judged"

    def __init__(self) -> None:
        super().__init__("Say first what the answer is worth, with POST /v1/feedback and the same user; or skip it.")


class ReviewQueueFull(Conflict):
    """The queue holds as many as it may."""

    code = "review_queue_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} answers wait to be judged. Have some judged, or delete some with DELETE /v1/reviews.")
