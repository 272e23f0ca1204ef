"""The answer graph: condense → retrieve → judge → (abstain | answer → verify | fill). Nodes are functions elsewhere.

What no single passage answers goes from `condense` to `survey`, and on to `retrieve` only where that has no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.answering.deciding import Deciding
from agent.answering.drafting.generation import answer, check_reads_images
from agent.answering.form import check_can_fill, fill
from agent.answering.receipt import ReceiptBuilder
from agent.answering.searching.retrieval import retrieve
from agent.answering.searching.whole_lists import judge_whole
from agent.answering.state import AnswerState, Begun, Context, Draft, Event, is_refused
from agent.answering.surveys.survey import survey
from agent.answering.verification import abstain, final_event, verify
from agent.errors import DeadlinePassed
from agent.ports import Library, Models, Reader, Search
from agent.prompts.packaged import AsShipped, PromptSource, WithNamed
from agent.questions.condensation import condense
from agent.questions.conversation import Conversation
from agent.questions.kinds import read_kind
from agent.relevance.lexicon import Lexicon
from agent.settings import AgentSettings
from contracts.agents.prompts import PACKAGED_PREFIX
from contracts.models.catalog import ModelInfo
from contracts.models.chat import CONTEXT_IGNORED, TOOLS_IGNORED, ChatRequest
from contracts.retrieval.search import Hit

Graph = CompiledStateGraph[AnswerState, Context, AnswerState, AnswerState]
Node = Callable[[AnswerState, Context], Awaitable[AnswerState]]
STEPS = 12
"""More than the graph has; LangGraph's own limit would be about 10,000."""


@dataclass(frozen=True, slots=True)
class GivenDraft:
    """An answer that a model has made elsewhere, and what it has read for it."""

    text: str
    sources: Sequence[Hit] = ()


@dataclass(frozen=True)
class Answering:
    """Answers conversations; one for the life of the service."""

    search: Search
    models: Models
    library: Library
    settings: AgentSettings
    reader: Reader | None = None
    prompts: PromptSource = field(default_factory=AsShipped)
    graph: Graph = field(default_factory=lambda: build_graph())
    lexicon: Lexicon = field(default_factory=Lexicon)
    texts: Lexicon = field(default_factory=Lexicon)

    async def events(
        self,
        conversation: Conversation,
        request: ChatRequest,
        token: str,
        request_id: str,
        draft: GivenDraft | None = None,
    ) -> AsyncGenerator[Event]:
        """The one answer path: what happens, in order. Closing it early ends all work for it.

        With a `draft` that somebody has made, no model is asked: it is compared with what is found and its sources.
        """
        prompts = await self._prompts(conversation)
        named = conversation.options.prompt
        receipt = ReceiptBuilder(request_id, instructions=named if prompts is self.prompts else None)
        if request.offers_tools():
            receipt.degrade(TOOLS_IGNORED)
        if conversation.instructions_truncated:
            receipt.degrade("instructions_truncated")
        if conversation.context_pasted:
            receipt.degrade(CONTEXT_IGNORED)
        async with self.working(conversation.options.model, token, receipt, conversation.tenant) as opened:
            context = replace(
                opened,
                prompts=prompts,
                reader=self._reader(conversation.options.reader),
                deciding=Deciding(conversation.options.abstain, conversation.abstain),
                max_tokens=request.max_completion_tokens or request.max_tokens,
                sampling=_sampling_options(request),
            )
            stream = self.graph.astream(
                _beginning(conversation, draft),
                {"recursion_limit": STEPS},
                context=context,
                stream_mode="custom",
            )
            async with aclosing(stream):  # type: ignore[type-var]  # an async generator, typed as an iterator
                async for event in stream:
                    yield event  # type: ignore[misc]  # what the nodes send: an Event

    def _reader(self, named: str | None) -> Reader | None:
        return self.reader if self.reader is None or named is None else self.reader.named(named)

    async def _prompts(self, conversation: Conversation) -> PromptSource:
        """What is asked by: what is in use, but for the version that the caller names. Raises what is wrong with it."""
        named = conversation.options.prompt
        if named is None or not named.startswith(PACKAGED_PREFIX):
            return self.prompts
        return WithNamed(self.prompts, await self.prompts.get_named(conversation.tenant, named))

    @asynccontextmanager
    async def working(
        self, model: str | None, token: str, receipt: ReceiptBuilder, tenant: str
    ) -> AsyncIterator[Context]:
        """What is worked with for one caller, until the deadline; whatever is still under way is ended with it."""
        async with AsyncExitStack() as closing:
            asked = asyncio.ensure_future(self.models.model(model, token))
            closing.push_async_callback(_end, asked)
            yield Context(
                search=self.search,
                models=self.models,
                library=self.library,
                model=asked,
                settings=self.settings,
                prompts=self.prompts,
                tenant=tenant,
                reader=self.reader,
                token=token,
                receipt=receipt,
                send=_nowhere,
                closing=closing,
                lexicon=self.lexicon,
                texts=self.texts,
                deadline=asyncio.get_running_loop().time() + self.settings.deadline_seconds,
            )


def build_graph() -> Graph:
    """The compiled graph."""
    graph = StateGraph(AnswerState, context_schema=Context)
    graph.add_node("condense", _node("condense", _condense))
    graph.add_node("survey", _node("survey", survey))
    graph.add_node("retrieve", _node("retrieve", _retrieve))
    graph.add_node("judge", _node("judge", judge_whole))
    graph.add_node("abstain", _node("verify", _abstained))
    graph.add_node("answer", _node("answer", _answer))
    graph.add_node("fill", _node("answer", fill))
    graph.add_node("verify", _node("verify", verify))
    graph.add_edge(START, "condense")
    graph.add_conditional_edges("condense", _after_condense, ["survey", "retrieve"])
    graph.add_conditional_edges("survey", _after_survey, ["retrieve", END])
    graph.add_edge("retrieve", "judge")
    graph.add_conditional_edges("judge", _after_judge, ["abstain", "answer", "fill"])
    graph.add_edge("fill", END)
    graph.add_edge("answer", "verify")
    graph.add_edge("verify", END)
    graph.add_edge("abstain", END)
    return graph.compile()


async def _condense(state: AnswerState, context: Context) -> AnswerState:
    conversation = state["conversation"]
    standalone = condense(conversation.question, conversation.earlier)
    if conversation.images:
        await check_reads_images(context, conversation)
    if conversation.form is not None:
        await check_can_fill(context, conversation.options)
        return {"standalone": conversation.form.searched(standalone), "kind": None}
    kind = None if conversation.images or "draft" in state else read_kind(conversation.question, conversation.earlier)
    return {"standalone": standalone, "kind": kind}


async def _retrieve(state: AnswerState, context: Context) -> AnswerState:
    found = await retrieve(state, context)
    known = {(hit.collection, hit.chunk_id) for hit in found["hits"]}
    given = [hit for hit in state.get("given", ()) if (hit.collection, hit.chunk_id) not in known]
    return {**found, "hits": [*found["hits"], *given]}


async def _answer(state: AnswerState, context: Context) -> AnswerState:
    if state.get("draft") is None:
        return await answer(state, context)
    context.send(Begun(state["hits"]))
    return {"grounding": state["conversation"].options.grounding or "strict"}


def _beginning(conversation: Conversation, draft: GivenDraft | None) -> AnswerState:
    if draft is None:
        return {"conversation": conversation}

    async def whole() -> AsyncIterator[str]:
        yield draft.text

    return {"conversation": conversation, "draft": Draft(whole(), False, _nothing), "given": draft.sources}


async def _nothing() -> None:
    """There is no model to end."""


async def _abstained(state: AnswerState, context: Context) -> AnswerState:
    context.send(Begun(state["hits"]))
    return await abstain(state, context)


def _after_condense(state: AnswerState) -> str:
    return "retrieve" if state["kind"] is None else "survey"


def _after_survey(state: AnswerState) -> str:
    return END if "report" in state else "retrieve"


def _after_judge(state: AnswerState) -> str:
    if state["conversation"].form is not None:  # whose values are each looked for in the sources
        return "fill"
    if state.get("draft") is not None or state["conversation"].images:  # which may hold what was not searched for
        return "answer"
    return "abstain" if is_refused(state) else "answer"


class _GraphNode(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: AnswerState, *, runtime: Runtime[Context]) -> Awaitable[AnswerState]: ...


def _node(stage: str, work: Node) -> _GraphNode:
    """A node of the graph from a plain function: timed, within the deadline, its events sent on; then the report."""

    async def run(state: AnswerState, *, runtime: Runtime[Context]) -> AnswerState:
        context = replace(runtime.context, send=runtime.stream_writer)
        try:
            async with asyncio.timeout_at(context.deadline):
                with context.receipt.stage(stage):
                    done = await work(state, context)
        except TimeoutError:
            raise DeadlinePassed from None
        if "report" in done:
            context.send(final_event(AnswerState(**{**state, **done}), context))
        return done

    return run


def _sampling_options(request: ChatRequest) -> dict[str, object]:
    chosen = {name: getattr(request, name) for name in ("temperature", "top_p", "seed", "stop")}
    return {name: value for name, value in chosen.items() if value is not None}


async def _end(task: asyncio.Future[ModelInfo | None]) -> None:
    """An answer that needed no model does not wait for what is known of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _nowhere(event: Event) -> None:
    """Events go through the running node's writer; before there is one, nothing is sent."""
