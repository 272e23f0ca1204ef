"""Why a job can't be done, for whoever started it."""

from __future__ import annotations


class Impossible(Exception):
    """It can't be done; says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_tunable(why: str) -> Impossible:
    """The model is none that can be tuned."""
    return Impossible("model_not_tunable", f"This model can't be tuned here: {why}. Choose another one.")


def not_finite(loss: float, where: str) -> Impossible:
    """A loss is none."""
    return Impossible(
        "loss_not_finite",
        f"The loss became {loss} {where}: what was learnt is of no use. Choose a smaller 'learning_rate_multiplier', a "
        "tenth of this one for instance, and start another job.",
    )
