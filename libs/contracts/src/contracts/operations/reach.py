"""What of a call reaches a model, and comes from one: what the rules of a key (its guardrails) look at.

Each operation names one of these, so that none is forgotten. `tests/contract/gateway/test_guardrail_routes.py` asks for
an example of a call of each that reaches a model, and makes it. In the gateway:

- `CHAT`: the call ends in `chat`, which screens both ways. One that translates into chat (other shapes of OpenAI's)
  hands over the translated request; what it leaves out of the translation reaches no model.
- Any other makes `screening = Screening(principal.guardrails, OPERATION.reach)`, passes its parsed request through
  `await screening.question(request, size)`, adds `screening.header()` to `exchange.headers` and passes what it answers
  through `await screening.answer(body)`. `proxy` does so for every call that it passes on.
- Calls that services make in turn come to the model plane (`api/model_plane.py`), which has rules of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What of one operation's calls is screened."""

    question: bool = False
    """Whether `input` and `max_input_chars` hold for the body."""
    answer: bool = False
    """Whether `output` holds for what is answered."""
    of_run: bool = False
    """Whether it is a run's, whose model calls are screened at the model plane: what they said is masked or refused
    here, too, but noted there; and callers get their own words back as they are."""
    is_inside: bool = False
    """Whether it is the model plane's, so that the answer's receipt belongs to another call."""
    is_one_text: bool = True
    """Whether a model reads the body's texts one after another, so that a finding may go from one into the next."""
    is_bounded: bool = True
    """Whether `max_input_chars` holds: the body goes to a model now."""
    has_answers: bool = False
    """Whether answers come back in the body, whose references (documents' ids, addresses) stay as they are."""
    spared: frozenset[str] = frozenset()
    """Fields of the body that reach no model."""
    why: str = ""
    """Why nothing is screened though the operation has texts."""

    @property
    def reaches_a_model(self) -> bool:
        """Whether any rule holds."""
        return self.question or self.answer


CHAT = Reach(question=True, answer=True, spared=frozenset(("model", "groundwork", "stream_options")))
"""A chat, or what is translated into one. Retrieved text is looked at, too, at the model plane."""
VECTORS = Reach(
    question=True, is_one_text=False, spared=frozenset(("model", "encoding_format", "dimensions", "priority", "top_n"))
)
"""Texts become numbers; each is read for itself, and none comes back."""
TOKENS = Reach(question=True, spared=frozenset(("model",)))
"""Texts become token ids, maybe by the server that has the model: it gets no more of them than with a chat."""
TOKEN_IDS = Reach(why="numbers of a vocabulary say nothing, and what they spell goes to nobody but the caller")
SEARCH = Reach(question=True, answer=True, spared=frozenset(("filter", "mode", "limit", "rerank_model")))
"""The query is embedded; what is found is text of documents."""
MCP = Reach(question=True, answer=True, spared=frozenset(("jsonrpc", "id", "method")))
"""`ask` and `search`; all messages of the protocol alike."""
AGENT = Reach(question=True, spared=frozenset(("name", "model")))
"""Instructions and schemas, which a model reads at each run. Who reads an agent gets what a person wrote."""
PROMPT_VALUES = Reach(question=True, spared=frozenset(("label", "version")))
"""What is put into a prompt, and the question that examples are chosen for, which is embedded."""
RUN = Reach(question=True, answer=True, of_run=True, spared=frozenset(("agent", "agent_version", "user")))
"""What starts a run or is decided on one. The run's own model calls are screened at the model plane."""
READS_RUN = Reach(answer=True, of_run=True)
"""What a run said and read, as its owner reads it."""
SUMMARY = Reach(answer=True)
"""What a document says in short. Its chunks are found by searches, which are screened at the model plane, too."""
NO_MODEL = Reach()
KEPT = Reach(question=True, is_bounded=False, has_answers=True)
"""What is stored of a conversation, so that nothing is that a model may not be told: its messages, whoever said them,
and metadata such as titles. Runs that read it are bounded by their agent's memory, and screened at the model plane."""
FEEDBACK = Reach(
    question=True,
    is_one_text=False,
    is_bounded=False,
    spared=frozenset(("answer_id", "part", "user", "rating", "labels", "preferred_over")),
)
"""What a person says of an answer: comments and corrections are kept, and models are tuned with them."""
DOCUMENTS = Reach(
    why="documents are stored and given as they are; they are screened when a model or a search uses them"
)
QUESTIONS = Reach(
    why="questions are stored and given as they are; each is screened when a call asks it of a model or a search"
)
