"""Which public routes reach a model, and which rules of a key hold for each: a closed table of all of them.

To add a route: add its line here, `"METHOD /path": reach`, as the OpenAPI document has method and path.
`tests/contract/test_guardrail_routes.py` reads the running gateway's document and fails for a route that is not here;
for one that reaches a model it also asks for an example of a call, and makes it.

- `CHAT`: the route ends in `chatting`, which screens both ways. One that translates into chat (other shapes of
  OpenAI's) hands over the translated request; what it leaves out of the translation reaches no model.
- Any other route makes `screening = Screening(principal.guardrails, ROUTES["POST /v1/…"])`, passes its parsed request
  through `await screening.question(request, size)`, adds `screening.header()` to `exchange.headers` and passes what it
  answers through `await screening.answer(body)`. `proxying` does so for every proxied call.
- Calls that services make in turn come to the model plane (`routes/plane.py`), which has rules of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from contracts.delegation import Delegation


@dataclass(frozen=True, slots=True)
class Reach:
    """What of one route's calls is screened."""

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
    spared: frozenset[str] = frozenset()
    """Fields of the body that reach no model."""
    why: str = ""
    """Why nothing is screened though the route has texts."""

    @property
    def reaches_a_model(self) -> bool:
        """Whether any rule holds."""
        return self.question or self.answer


CHAT = Reach(question=True, answer=True, spared=frozenset(("model", "groundwork", "stream_options")))
"""Through `chatting`: retrieved text is looked at, too, at the model plane."""
VECTORS = Reach(
    question=True, is_one_text=False, spared=frozenset(("model", "encoding_format", "dimensions", "priority", "top_n"))
)
"""Texts become numbers; each is read for itself, and none comes back."""
SEARCH = Reach(question=True, answer=True, spared=frozenset(("filter", "mode", "top_k", "limit")))
"""The query is embedded; what is found is text of documents."""
MCP = Reach(question=True, answer=True, spared=frozenset(("jsonrpc", "id", "method")))
"""`ask` and `search`; all messages of the protocol alike."""
AGENT = Reach(question=True, spared=frozenset(("name", "model")))
"""Instructions and schemas, which a model reads at each run. Who reads an agent gets what a person wrote."""
RUN = Reach(question=True, answer=True, of_run=True, spared=frozenset(("agent",)))
"""What starts a run or is decided on one. The run's own model calls are screened at the model plane."""
READS_RUN = Reach(answer=True, of_run=True)
"""What a run said and read, as its owner reads it."""
INSIDE = Reach(is_inside=True)
"""A model call inside a public one that is screened both ways: only retrieved text is looked at."""
INSIDE_RUN = replace(CHAT, is_inside=True)
"""A model call of a run, which goes on after the call that began it: screened both ways, as if it were a client's."""
NO_MODEL = Reach()
DOCUMENTS = Reach(
    why="documents are stored and given as they are; they are screened when a model or a search uses them"
)

ROUTES: Mapping[str, Reach] = {
    "POST /v1/chat/completions": CHAT,
    "POST /v1/completions": CHAT,
    "POST /v1/responses": CHAT,
    "POST /v1/embeddings": VECTORS,
    "POST /v1/rerank": VECTORS,
    "POST /v2/rerank": VECTORS,
    "POST /v1/collections/{name}/search": SEARCH,
    "POST /mcp": MCP,
    "POST /v1/agents": AGENT,
    "POST /v1/threads/{id}/runs": RUN,
    "POST /v1/threads/{id}/runs/{run}/resume": RUN,
    "POST /v1/threads/{id}/runs/{run}/cancel": READS_RUN,
    "GET /v1/threads/{id}/runs": READS_RUN,
    "GET /v1/threads/{id}/runs/{run}": READS_RUN,
    "GET /v1/threads/{id}/runs/{run}/events": READS_RUN,
    "GET /v1/threads/{id}/history": READS_RUN,
    "GET /v1/agents": NO_MODEL,
    "GET /v1/agents/{name}": NO_MODEL,
    "GET /v1/agents/{name}/versions": NO_MODEL,
    "DELETE /v1/agents/{name}": NO_MODEL,
    "GET /v1/threads": NO_MODEL,
    "POST /v1/threads": NO_MODEL,
    "GET /v1/threads/{id}": NO_MODEL,
    "DELETE /v1/threads/{id}": NO_MODEL,
    "GET /v1/collections": NO_MODEL,
    "POST /v1/collections": NO_MODEL,
    "GET /v1/collections/{name}": NO_MODEL,
    "PATCH /v1/collections/{name}": NO_MODEL,
    "DELETE /v1/collections/{name}": NO_MODEL,
    "POST /v1/collections/{name}/reindex": DOCUMENTS,
    "GET /v1/collections/{name}/documents": DOCUMENTS,
    "POST /v1/collections/{name}/documents": DOCUMENTS,
    "POST /v1/collections/{name}/documents:batch": DOCUMENTS,
    "POST /v1/collections/{name}/documents:restore": DOCUMENTS,
    "GET /v1/collections/{name}/documents/{id}": DOCUMENTS,
    "GET /v1/collections/{name}/documents/{id}/backup": DOCUMENTS,
    "GET /v1/collections/{name}/documents/{id}/chunks": DOCUMENTS,
    "GET /v1/collections/{name}/documents/{id}/content": DOCUMENTS,
    "GET /v1/collections/{name}/documents/{id}/text": DOCUMENTS,
    "DELETE /v1/collections/{name}/documents/{id}": NO_MODEL,
    "GET /v1/jobs": NO_MODEL,
    "GET /v1/jobs/{id}": NO_MODEL,
    "GET /v1/jobs/{id}/events": NO_MODEL,
    "POST /v1/jobs/{id}/cancel": NO_MODEL,
    "POST /v1/jobs/{id}/retry": NO_MODEL,
    "GET /v1/models": NO_MODEL,
    "GET /v1/models/{id}": NO_MODEL,
    "GET /v1/keys": NO_MODEL,
    "POST /v1/keys": NO_MODEL,
    "GET /v1/keys/{key_id}": NO_MODEL,
    "PATCH /v1/keys/{key_id}": NO_MODEL,
    "DELETE /v1/keys/{key_id}": NO_MODEL,
    "POST /v1/keys/{key_id}/rotate": NO_MODEL,
    "GET /v1/tenants": NO_MODEL,
    "POST /v1/tenants": NO_MODEL,
    "GET /v1/tenants/{name}": NO_MODEL,
    "PATCH /v1/tenants/{name}": NO_MODEL,
    "DELETE /v1/tenants/{name}": NO_MODEL,
    "GET /v1/routes": NO_MODEL,
    "PUT /v1/routes/{name}": NO_MODEL,
    "DELETE /v1/routes/{name}": NO_MODEL,
    "DELETE /v1/cache": NO_MODEL,
    "GET /v1/usage": NO_MODEL,
    "GET /v1/audit": NO_MODEL,
    "GET /v1/backup": NO_MODEL,
    "GET /healthz": NO_MODEL,
    "GET /readyz": NO_MODEL,
}


def inside(delegation: Delegation) -> Reach:
    """The reach of a call of the model plane, by its token: only a run's names no call of the agent service."""
    return INSIDE if "agent" in delegation.audiences else INSIDE_RUN


def reach_of(method: str, path: str) -> Reach:
    """The reach of a route, by the path in the document. One that was forgotten here is screened both ways."""
    return ROUTES.get(f"{method} {path}", CHAT)
