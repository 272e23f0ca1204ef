"""Standard benchmarks asked of a model: choices by the log-likelihood that it gives them, answers by their words.

Choices are scored as lm-evaluation-harness does: each is put behind the context, and the log probabilities of its own
tokens are added. `accuracy` takes the likeliest; `accuracy_norm` divides by the choice's characters first, so that long
ones are not at a disadvantage.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from contracts.improvement.text_measures import is_exact, measure_text
from contracts.models.completions import CompletionChoice
from groundwork.client import ApiError, Groundwork
from groundwork.errors import GroundworkError
from groundwork.evaluation.benchmarks.tasks import Task
from groundwork.evaluation.calls import all_at_once, patiently

OWN_REFUSALS = frozenset(("context_length_exceeded", "input_too_long", "content_blocked", "content_filter"))
"""Codes of refusals that are of one task's words."""
ECHO = "echo"
LETTERS = 26
LETTER_TOKENS = 16
LONE = re.compile(r"(?<!\w)(?:[A-Z]|\d{1,2})(?!\w)")
SIGNED = re.compile(r"(?<!\w)([A-Z]|\d{1,2})(?=\s*(?:[.,:;)\]*\"]|$|\n))")


class NoProbabilities(GroundworkError):
    """A model that does not tell how likely a text is to it."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"'{model}' does not tell the probabilities of a prompt's own tokens, by which choices are scored. Serve "
            "it by vLLM or another OpenAI-compatible server that has them (`echo` with `logprobs`), or add --generate, "
            "which shows the choices and reads the letter that it answers."
        )


@dataclass(frozen=True, slots=True)
class Method:
    """How tasks are put to a model."""

    model: str
    delimiter: str = " "
    """Between context and choice, where the context does not end in a space of its own."""
    generate: bool = False
    """Whether choices are shown and a letter is read, instead of scored by their likelihood."""
    raw: bool = False
    """Whether answers go on from the text (`/v1/completions`), instead of being a chat's."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of one task; without figures but `succeeded` where the model refused it."""

    task: Task
    figures: dict[str, float]
    answer: str | None = None
    """What was said, or the likeliest choice."""
    loglikelihoods: Sequence[float] = field(default_factory=list)
    error: str | None = None


def score_all(
    client: Groundwork, method: Method, tasks: Sequence[Task], *, at_once: int, progress: Callable[[int], None]
) -> list[Scored]:
    """Each task's figures, in order; `progress` is told how many are done. Raises what a call raised, and
    `NoProbabilities`."""
    found: dict[int, Scored] = {}

    def one(place: int, task: Task, stopping: threading.Event) -> tuple[int, Scored]:
        return place, _score(client, method, task, stopping)

    work = (partial(one, place, task) for place, task in enumerate(tasks))
    for done, (place, scored) in enumerate(all_at_once(work, at_once), start=1):
        found[place] = scored
        progress(done)
    return [found[place] for place in sorted(found)]


def _score(client: Groundwork, method: Method, task: Task, stopping: threading.Event) -> Scored:
    how = _by_words if not task.choices else _by_letter if method.generate else _by_likelihood
    try:
        return patiently(lambda: how(client, method, task), stopping)
    except ApiError as error:
        if error.code not in OWN_REFUSALS:
            raise
        return Scored(task, {"succeeded": 0.0}, error=error.message)


def _by_likelihood(client: Groundwork, method: Method, task: Task) -> Scored:
    stem = task.context.rstrip()
    blank = task.context[len(stem) :] or method.delimiter
    prompts = [f"{stem}{blank}{choice}" for choice in task.choices]
    try:
        completion = client.complete(method.model, prompts, echo=True, logprobs=1, max_tokens=1, temperature=0)
    except ApiError as error:
        if error.param == ECHO:
            raise NoProbabilities(method.model) from None
        raise
    by_place = {choice.index: choice for choice in completion.choices}
    if set(by_place) != set(range(len(prompts))):
        raise NoProbabilities(method.model)
    sums = [_loglikelihood(method.model, by_place[at], len(stem), prompt) for at, prompt in enumerate(prompts)]
    likeliest = sums.index(max(sums))
    by_length = [each / len(choice) for each, choice in zip(sums, task.choices, strict=True)]
    figures = {
        "succeeded": 1.0,
        "accuracy": float(likeliest in task.gold),
        "accuracy_norm": float(by_length.index(max(by_length)) in task.gold),
    }
    return Scored(task, figures, task.choices[likeliest], sums)


def _loglikelihood(model: str, choice: CompletionChoice, begin: int, prompt: str) -> float:
    """The sum over the tokens that reach beyond the first `begin` characters, to the prompt's end. A token across the
    border counts as the choice's. Where the tokens make up the text their own lengths say where each stands; else, as
    with pieces of letters, the server's offsets do."""
    logprobs = choice.logprobs
    if logprobs is None or not choice.text.startswith(prompt):
        raise NoProbabilities(model)
    if not len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.text_offset) > 0:
        raise NoProbabilities(model)
    joined = "".join(logprobs.tokens)
    shift = joined.find(prompt)
    if shift >= 0:  # what is before is no text of the prompt: a token that begins every text
        starts = [0]
        for token in logprobs.tokens:
            starts.append(starts[-1] + len(token))
    else:
        first = logprobs.tokens[0]
        shift = 0 if prompt.startswith(first) else len(first)
        starts = [*logprobs.text_offset, len(joined)]
    found = []
    for at, chance in enumerate(logprobs.token_logprobs):
        if starts[at] - shift < len(prompt) and starts[at + 1] - shift > begin:
            found.append(chance)
    if not found or None in found:
        raise NoProbabilities(model)
    return sum(each for each in found if each is not None)


def _by_letter(client: Groundwork, method: Method, task: Task) -> Scored:
    """As a chat: the choices with letters, and the first letter that stands by itself in the answer."""
    letters = [chr(ord("A") + at) if at < LETTERS else str(at + 1) for at in range(len(task.choices))]
    shown = "\n".join(f"{letter}. {choice}" for letter, choice in zip(letters, task.choices, strict=True))
    prompt = f"{task.context}\n\n{shown}\n\nAnswer with the letter only."
    said = client.chat(method.model, prompt, max_tokens=LETTER_TOKENS, temperature=0)
    chosen = next((letters.index(name) for name in _names(said) if name in letters), None)
    if chosen is None:
        exact = [at for at, choice in enumerate(task.choices) if is_exact([choice], said)]
        chosen = exact[0] if exact else None
    figures = {"succeeded": 1.0, "accuracy": float(chosen in task.gold), "letter_found": float(chosen is not None)}
    return Scored(task, figures, said)


def _names(said: str) -> Iterator[str]:
    """What may name a choice: a letter or number with a sign or nothing behind it, then any but the words A and I."""
    yield from (found[1] for found in SIGNED.finditer(said))
    yield from (word for word in LONE.findall(said) if word not in ("A", "I"))


def _by_words(client: Groundwork, method: Method, task: Task) -> Scored:
    options = {"max_tokens": task.max_tokens, "temperature": 0, **({"stop": list(task.until)} if task.until else {})}
    if method.raw:
        said = client.complete(method.model, task.context, **options).choices[0].text
    else:
        said = client.chat(method.model, task.context, **options)
    figures = {"succeeded": 1.0, "exact_match": float(is_exact(task.answers, said))}
    return Scored(task, figures | measure_text(task.answers, said), said)
