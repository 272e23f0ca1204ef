"""What can be wrong with a call to the lab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.core.errors import ErrorBody
from servicekit.core.errors import Conflict, Forbidden, InvalidRequest, NotFound, QueueFull

MOST_NAMED = 5
"""Pairs of questions that an error lists."""
MOST_SPLITS = 10
"""Splits that an error lists."""


class QuestionSetNotFound(NotFound):
    """The tenant has no question set of this name."""

    code = "question_set_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no question set '{name[:100]}'. GET /v1/question-sets lists them.", param="name")


class QuestionSetVersionNotFound(NotFound):
    """The set has no such version, or no longer."""

    code = "question_set_version_not_found"

    def __init__(self, name: str, version: int, newest: int) -> None:
        why = "was deleted" if version <= newest else f"is not there yet; the newest is {newest}"
        super().__init__(
            f"Version {version} of the question set '{name}' {why}. GET /v1/question-sets/{name}/versions lists those "
            "that are there.",
            param="version",
        )


class QuestionSetNotYours(Forbidden):
    """The set was made by another key, and this one sees only its own."""

    code = "question_set_not_yours"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The name '{name}' is taken by a question set of another key. A key that is limited to some collections "
            "or models sees and changes only sets that it made itself. Choose another name, or use a key without such "
            "limits.",
            param="name",
        )


class LastVersion(Conflict):
    """The version is the only one that the set has."""

    code = "last_version"

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"Version {version} is the only one of the question set '{name}'. Delete the set, or save another version "
            "first."
        )


class QuestionFileBroken(InvalidRequest):
    """A line that is no question."""

    code = "question_file_broken"

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"{name}, line {line}: {why[:600]}. Mend the line and send the file again.", param="file")


class QuestionsMissing(InvalidRequest):
    """Nothing to save."""

    code = "questions_missing"

    def __init__(self, where: str) -> None:
        super().__init__(f"There are no questions in {where}. A version has at least one.", param="file")


class QuestionTooLarge(InvalidRequest):
    """A question with all that belongs to it takes more than it may."""

    code = "question_too_large"

    def __init__(self, place: str, size: int, most: int) -> None:
        super().__init__(
            f"{place[:300]} has {size:,} bytes with its answers, documents and metadata; the most is {most:,}. Shorten "
            "it, or keep what is long elsewhere and name it in 'metadata'.",
            param="items",
        )


class TooManyQuestions(InvalidRequest):
    """A version, or a tenant, would have more than it may."""

    code = "too_many_questions"

    def __init__(self, count: int, most: int, whose: str) -> None:
        super().__init__(
            f"{whose} would have {count:,} questions; the most is {most:,}. Split the set, or delete versions that "
            "nobody needs.",
            param="items",
        )


class TooManyQuestionSets(Conflict):
    """The tenant has as many sets as it may."""

    code = "too_many_question_sets"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most:,} question sets already, which is the most. Delete one first.")


class QuestionIdTaken(InvalidRequest):
    """Two questions have the same id."""

    code = "question_id_taken"

    def __init__(self, question_id: str, first: str, second: str) -> None:
        super().__init__(
            f"The id '{question_id[:200]}' is that of {first} and of {second}. Give each question an id of its own, or "
            "none.",
            param="id",
        )


class QuestionsAlike(InvalidRequest):
    """Questions that ask the same would count twice."""

    code = "questions_alike"

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            f"Some questions ask the same, and would count twice: {listed(pairs)}. Leave one of each out, or send "
            '"duplicates": "skip", which does so.',
            param="items",
        )


class SplitsLeak(InvalidRequest):
    """A question of one split asks what one of another does."""

    code = "splits_leak"

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            f"Splits would leak into each other, so that figures would look better than they are: {listed(pairs)}. "
            'Put both into the same split, leave one out, or send "duplicates": "skip", which leaves out the one in '
            "train.",
            param="items",
        )


class QuestionSetChanged(Conflict):
    """Others saved the same set again and again meanwhile."""

    code = "question_set_changed"

    def __init__(self, name: str) -> None:
        super().__init__(f"Others are saving the question set '{name}' at this moment. Send this again.", retry_after=1)


class EvaluationNotFound(NotFound):
    """The tenant has no such evaluation."""

    code = "evaluation_not_found"

    def __init__(self, evaluation_id: str) -> None:
        super().__init__(f"There is no evaluation '{evaluation_id[:100]}'. GET /v1/evaluations lists them.", param="id")


class EvaluationFinished(Conflict):
    """It has ended already."""

    code = "evaluation_finished"

    def __init__(self, evaluation_id: str, status: str) -> None:
        super().__init__(f"The evaluation '{evaluation_id}' has ended already ({status}).")


class EvaluationUnfinished(Conflict):
    """It is still queued or at work."""

    code = "evaluation_unfinished"

    def __init__(self, evaluation_id: str) -> None:
        super().__init__(f"The evaluation '{evaluation_id}' has not ended. Cancel it first.")


class EvaluationOfTrial(Conflict):
    """It belongs to a sweep, whose cost and verdict would be without it."""

    code = "evaluation_of_sweep"

    def __init__(self, evaluation_id: str, trial_id: str) -> None:
        super().__init__(f"'{evaluation_id}' is a part of a sweep: DELETE /v1/sweeps/{trial_id} deletes it with that.")


class TooManyEvaluations(QueueFull):
    """As many are queued or at work as may be."""

    code = "too_many_evaluations"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} evaluations of this tenant are queued or at work, which is the most. Wait for one, or cancel one.",
            retry_after=60,
        )


class NoQuestions(InvalidRequest):
    """The version has no question in this split."""

    code = "no_questions"

    def __init__(self, name: str, version: int, split: str, splits: Iterable[str]) -> None:
        known = list(splits)
        there = f"{', '.join(known[:MOST_SPLITS])}{', …' if len(known) > MOST_SPLITS else ''}" if known else "none"
        super().__init__(
            f"Version {version} of the question set '{name}' has no questions in the split '{split[:63]}'. "
            f"The splits that it has: {there}.",
            param="split",
        )


class TargetRefuses(InvalidRequest):
    """No question can be asked with these settings."""

    code = "target_refuses"

    def __init__(self, error: ErrorBody) -> None:
        super().__init__(
            f"The target answers no question with these settings: {error.message[:500]} [{error.code}] Mend them, and "
            "start another evaluation.",
            param="target",
        )


class JudgeRefuses(InvalidRequest):
    """No answer can be judged with these settings."""

    code = "judge_refuses"

    def __init__(self, error: ErrorBody) -> None:
        super().__init__(
            f"The judge gives no verdict with these settings: {error.message[:500]} [{error.code}] Name another model, "
            "and start another evaluation.",
            param="judge",
        )


class OtherEvaluationMissing(InvalidRequest):
    """A comparison with nothing."""

    code = "other_evaluation_missing"

    def __init__(self) -> None:
        super().__init__(
            "Name the evaluation to compare with: ?with=<id>. GET /v1/evaluations lists them.", param="with"
        )


class OtherJudge(InvalidRequest):
    """Answers set beside those that another judge, or another rubric, has judged."""

    code = "other_judge"

    def __init__(self, measure: str) -> None:
        super().__init__(
            f"'{measure}' says as much of the judge as of the answers, and these two evaluations have other judges or "
            f"rubrics. Judge one of them again as the other, or ask by another measure.",
            param="measure",
        )


class GenerationNotFound(NotFound):
    """The set has no such run."""

    code = "generation_not_found"

    def __init__(self, generation_id: str, name: str) -> None:
        super().__init__(
            f"No run '{generation_id[:100]}' has made questions for the set '{name[:100]}'. "
            f"GET /v1/question-sets/{name[:100]}/generations lists them.",
            param="generation",
        )


class GenerationFinished(Conflict):
    """It has ended already."""

    code = "generation_finished"

    def __init__(self, generation_id: str, status: str) -> None:
        super().__init__(f"The run '{generation_id}' has ended already ({status}).")


class GenerationUnfinished(Conflict):
    """It is still queued or at work."""

    code = "generation_unfinished"

    def __init__(self, generation_id: str) -> None:
        super().__init__(f"The run '{generation_id}' has not ended. Cancel it first.")


class TooManyGenerations(Conflict):
    """The tenant has as many runs as it may."""

    code = "too_many_generations"

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most:,} runs that made questions, the most. Delete one; what it saved stays.")


class NothingToAsk(InvalidRequest):
    """The collection has no sentence that one could ask about."""

    code = "nothing_to_ask"

    def __init__(self, collection: str) -> None:
        super().__init__(
            f"The collection '{collection}' has no document that is ready with a sentence to ask about. Add documents, "
            "wait until they are ready, and start another run.",
            param="collection",
        )


class ModelRefuses(InvalidRequest):
    """The model writes no question."""

    code = "model_refuses"

    def __init__(self, model: str, error: ErrorBody | None) -> None:
        why = "it gave no reason" if error is None else f"{error.message[:500]} [{error.code}]"
        super().__init__(
            f"The model '{model[:100]}' can't be asked for questions: {why} Choose another one, and start another run.",
            param="model",
        )


class GeneratedNotFound(NotFound):
    """The run has no question of this number that can be reviewed."""

    code = "generated_question_not_found"

    def __init__(self, numbers: Sequence[int]) -> None:
        named = ", ".join(str(number) for number in numbers[:MOST_NAMED])
        more = ", …" if len(numbers) > MOST_NAMED else ""
        super().__init__(
            f"Nothing was changed: there is nothing to review under {named}{more}. "
            "A question that was saved, was dropped or is stale is reviewed no more; GET …/items lists them all.",
            param="decisions",
        )


class AnswersOfNearMiss(InvalidRequest):
    """A question that the documents do not answer gets answers."""

    code = "answers_of_near_miss"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Nothing was changed: question {number} is one that the documents do not answer, so it has no answers. "
            "Reject it, and save the question that you mean by POST /v1/question-sets.",
            param="decisions",
        )


class NothingAccepted(Conflict):
    """There is nothing to save."""

    code = "nothing_accepted"

    def __init__(self, generation_id: str) -> None:
        super().__init__(
            f"No accepted question of the run '{generation_id}' is left to save: accept some, with a review. What its "
            "documents no longer say, or what the set asks already, is left out."
        )


class GrantMissing(InvalidRequest):
    """A call that starts lasting work without the right to go on."""

    code = "grant_missing"

    def __init__(self) -> None:
        super().__init__("Lasting work is started through the gateway, which says with which right it goes on.")


def listed(pairs: Sequence[tuple[str, str]]) -> str:
    """The first of them in words, and how many more there are."""
    named = "; ".join(f"{first} and {second}" for first, second in pairs[:MOST_NAMED])
    return f"{named}, and {len(pairs) - MOST_NAMED:,} more pairs" if len(pairs) > MOST_NAMED else named
