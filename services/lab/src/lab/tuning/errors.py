"""What can be wrong with a tuning job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.errors import listed
from servicekit.core.errors import Conflict, Forbidden, Internal, InvalidRequest, NotFound, QueueFull


class TuningJobNotFound(NotFound):
    """The tenant has no such job."""

    code = "fine_tuning_job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no tuning job '{job_id[:100]}'. GET /v1/fine_tuning/jobs lists them.", param="fine_tuning_job_id"
        )


class TuningJobFinished(Conflict):
    """It has ended already."""

    code = "fine_tuning_job_finished"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"The tuning job '{job_id}' has ended already ({status}).")


class TuningJobUnfinished(Conflict):
    """It is still queued or at work."""

    code = "fine_tuning_job_unfinished"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The tuning job '{job_id}' has not ended. Cancel it first.")


class TooManyTuningJobs(QueueFull):
    """As many are queued or at work as may be."""

    code = "too_many_fine_tuning_jobs"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} tuning jobs of this tenant are queued or at work, which is the most. Wait for one, or cancel one.",
            retry_after=60,
        )


class TuningJobsKept(Conflict):
    """As much is kept of jobs that have ended as may be."""

    code = "too_many_fine_tuning_jobs_kept"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}, which is the most. Delete jobs that have ended first, with what they learnt: "
            "DELETE /v1/fine_tuning/jobs/{id}."
        )


class ArtifactTooLarge(InvalidRequest):
    """What was learnt is larger than what is kept."""

    code = "artifact_too_large"

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"What the job learnt has {size:,} bytes; the most that is kept is {most:,}. Choose a smaller 'rank'."
        )


class MatricesTooLarge(InvalidRequest):
    """What would be learnt beside an encoder's layers is larger than what is served."""

    code = "artifact_too_large"

    def __init__(self, method: str, model: str, rank: int, most: int) -> None:
        """`most` is the largest rank that is served, 0 where none is."""
        choose = f"a 'rank' of at most {most}" if most else "a smaller model, or leave out 'form'"
        super().__init__(
            f"Matrices of rank {rank} beside the layers of '{model[:100]}' are larger than what can be served. Choose "
            f"{choose}.",
            param=f"method.{method}.hyperparameters.rank",
        )


class ArtifactMissing(NotFound):
    """The job has nothing to give."""

    code = "artifact_missing"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"The tuning job '{job_id}' is {status}: it has learnt nothing that could be given.")


class MethodUnknown(InvalidRequest):
    """There is no such way to learn."""

    code = "method_unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no method '{name[:40]}' here. Those that there are: {', '.join(sorted(known)) or 'none'}.",
            param="method.type",
        )


class PublicationRefused(Conflict):
    """What a job has learnt can't be served."""

    code = "not_published"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TuningUnavailable(InvalidRequest):
    """Nothing here can learn."""

    code = "tuning_unavailable"

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"This installation can't tune models: {missing} is not installed beside the lab. Install "
            "'groundwork-lab[tuning]', or set LAB_TUNING_SLOTS=0 here where other replicas of the lab have it."
        )


class ModelNotAllowed(Forbidden):
    """The key may not use the model that would be tuned."""

    code = "model_not_allowed"

    def __init__(self, model: str) -> None:
        super().__init__(f"This key may not use the model '{model[:100]}', and so can't tune it.", param="model")


class HyperparametersTwice(InvalidRequest):
    """They are given in the old place and in the new one."""

    code = "hyperparameters_twice"

    def __init__(self) -> None:
        super().__init__(
            "Give the hyperparameters once: in 'method.supervised.hyperparameters', or, as older clients do, in "
            "'hyperparameters'.",
            param="hyperparameters",
        )


class HyperparametersUnfit(InvalidRequest):
    """Those of another method."""

    code = "hyperparameters_unfit"

    def __init__(self) -> None:
        super().__init__(
            "'hyperparameters' are those of 'supervised'. Give this method's own below its name in 'method'.",
            param="hyperparameters",
        )


class FormUnfit(InvalidRequest):
    """A hyperparameter of another form than the one that is chosen."""

    code = "hyperparameters_unfit"

    def __init__(self, method: str, name: str, form: str) -> None:
        super().__init__(
            f"'{name}' is of 'form': '{form}'. Leave it out, or choose that form.",
            param=f"method.{method}.hyperparameters.{name}",
        )


class NotAnEmbeddingModel(InvalidRequest):
    """A head needs vectors."""

    code = "not_an_embedding_model"

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(
            f"'{name[:100]}' is a model for {kind}. This method learns on an embedding model: choose one of "
            "GET /v1/models.",
            param="model",
        )


class NotAReadingModel(InvalidRequest):
    """What reads passages is learnt on a reading model."""

    code = "not_a_reading_model"

    def __init__(self, model: str, why: str) -> None:
        super().__init__(
            f"The model '{model[:128]}' can't learn to read: {why}. Choose a reading model of Groundwork's own form, "
            "such as the packaged one (GET /v1/models).",
            param="model",
        )


class CollectionUnnamed(InvalidRequest):
    """Nobody says which documents answer the questions."""

    code = "collection_unnamed"

    def __init__(self, method: str = "embedding") -> None:
        super().__init__(
            "The questions do not say which one collection they were made from. Name the one whose documents answer "
            f"them in 'method.{method}.collection'.",
            param=f"method.{method}.collection",
        )


class CollectionUnfit(InvalidRequest):
    """Its documents can't teach an embedding model."""

    code = "collection_unfit"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"Nothing can be learnt from the collection '{name[:100]}': {why}.", param="method.embedding.collection"
        )


class VectorsUnfit(InvalidRequest):
    """The embedding model's vectors are none that can be learnt on."""

    code = "vectors_unfit"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Nothing can be learnt on the vectors of '{name[:100]}': {why}.", param="model")


class ClassesUnfit(InvalidRequest):
    """The labels do not teach to tell anything apart."""

    code = "classes_unfit"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The training set can't teach a classification: {why}. Give each question one label (or one answer), with "
            "2 to 200 different ones and at least two questions each.",
            param="training_file",
        )


class NothingToLearn(InvalidRequest):
    """No question says what would be right."""

    code = "nothing_to_learn"

    def __init__(self, training_set: str) -> None:
        super().__init__(
            f"No question of {training_set} says what would be right, so that there is nothing to learn from it. Add "
            "'answers' to its questions; for 'dpo' its 'preferences', for a classification one of 'labels', for an "
            "embedding model the 'documents' that answer them.",
            param="training_file",
        )


class TooFewExamples(InvalidRequest):
    """Not enough to learn from, or to tell a difference by."""

    code = "too_few_examples"

    def __init__(self, train: int, held_out: int, least_train: int, least_held_out: int) -> None:
        super().__init__(
            f"There are {train} questions that say what would be right to learn from and {held_out} held out; at least "
            f"{least_train} and {least_held_out} are needed. Add questions, or move some to the split 'train' or "
            "'test'.",
            param="training_file",
        )


class TrainingLeaks(InvalidRequest):
    """What would be learnt is asked elsewhere to judge by."""

    code = "training_leaks"

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            "Questions to learn from are asked elsewhere to judge answers, so that figures would look better than they "
            f"are: {listed([(repr(one), other) for one, other in pairs])}. Take them out, or send "
            '"groundwork": {"leaks": "skip"}, which leaves them out.',
            param="training_file",
        )


class TrainingSensitive(InvalidRequest):
    """What would be learnt holds secrets or personal data, which the job refuses."""

    code = "training_sensitive"

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        named = "; ".join(f"'{one[:100]}' ({kinds[:100]})" for one, kinds in found[:5])
        more = f", and {len(found) - 5:,} more" if len(found) > 5 else ""
        super().__init__(
            "Questions of the job hold secrets or personal data, which a tuned model would tell others: "
            f"{named}{more}. Take them out, or send "
            '"groundwork": {"sensitive": "mask"}, which writes their kind in their place.',
            param="training_file",
        )


class BaseReplaced(Conflict):
    """The model that is tuned was replaced by another."""

    code = "base_model_replaced"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' was replaced while the job learnt on it: what was learnt fits it no more. Start "
            "another job.",
            param="model",
        )


class TrainingFailed(InvalidRequest):
    """The trainer can't go on, and says why."""

    code = "training_failed"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooManyTokens(TrainingFailed):
    """The job would read more than one may; it is seen while what it learns from is searched for."""

    code = "too_many_tokens"

    def __init__(self, tokens: int, most: int, searched: int, searches: int) -> None:
        """`tokens` were counted after so many of all searches, which are charged."""
        after = f" already after {searched:,} of its {searches:,} searches, which are charged" if searched else ""
        super().__init__(
            self.code,
            f"The job would read more than {most:,} tokens (LAB_TUNING_TOKENS), to learn from them or to be judged by "
            f"them: it comes to {tokens:,}{after}. Choose fewer examples or a smaller 'n_epochs'.",
        )


class LossNotFinite(TrainingFailed):
    """A figure that was learnt or judged by is no number."""

    code = "loss_not_finite"

    def __init__(self, figure: str) -> None:
        super().__init__(
            self.code,
            f"A loss is no number ({figure[:100]}), so that nobody could say whether anything was learnt. Choose a "
            "smaller 'learning_rate_multiplier', a tenth of this one for instance, and start another job.",
        )


class TrainerDied(Internal):
    """The trainer ended without a word."""

    code = "trainer_died"

    def __init__(self, status: int) -> None:
        super().__init__(f"The trainer ended with status {status}.")
