"""Whether a route can be put: all that it names is there, and nothing of it leads in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

from pydantic import BaseModel

from contracts.agents.agents import Agent
from contracts.agents.plain_tools import PlainToolName
from contracts.agents.prompts import PROMPT, Prompt, PromptReference
from contracts.core.base import NAME
from contracts.core.pages import Page
from contracts.models.catalog import AGENT, MAX_COLLECTIONS, RAG, rag_collections
from contracts.models.routes import RouteSpec, RouteTarget, Shadow
from contracts.retrieval.collections import Collection
from gateway.auth.keys import Principal
from gateway.auth.tokens import AGENTS, COLLECTIONS, PROMPTS, Audiences
from gateway.dependencies import Dependencies
from gateway.models.catalog import DEFAULT, Models
from gateway.routing.errors import RouteCyclic, RouteModelUnknown, RouteTargetUnknown, ShadowRefused
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import Peer

READING = frozenset(("search_documents", "read_document", "http_get", *get_args(PlainToolName)))
"""Types of tools that change nothing outside the run: the only ones that a shadow may have."""
TENANTS = 200
"""In as many tenants a target is looked for: those of a route are found in each caller's own."""
VERSIONS = 200
"""Of an agent, the newest: among them one that a target names is looked for."""
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """Looks at a route that an administrator wants to put under a name."""

    deps: Dependencies
    admin: Principal
    name: str
    models: Models
    routes: Mapping[str, RouteSpec]

    @classmethod
    async def open(cls, deps: Dependencies, admin: Principal, name: str) -> RouteCheck:
        """With the models and routes of now."""
        return cls(deps, admin, name, await deps.catalog.models(admin.tenant), await deps.routes.list_routes())

    async def run(self, spec: RouteSpec) -> None:
        """Raises `RouteModelUnknown`, `RouteTargetUnknown` or `RouteCyclic`."""
        self._require_chat_models([target.model for target in spec.targets if target.is_plain], "targets")
        for param in ("on_error", "on_context_overflow", "on_refusal"):
            self._require_chat_models(getattr(spec, param), param)
        if not spec.is_plain:
            self._require_no_user()
        for target in spec.targets:
            await self._require_target(target, spec)
        if spec.shadow is not None:
            await self._require_shadow(spec.shadow, spec)

    async def _require_shadow(self, shadow: Shadow, spec: RouteSpec) -> None:
        """It exists, is paid for, and does nothing but answer. An agent is named by its version: another one may have
        other tools."""
        if shadow.target.is_plain:
            self._require_chat_models([shadow.model], "shadow")
        await self._require_target(shadow.target, spec)
        try:
            await self.deps.authenticator.require_active(shadow.key_id)
        except ServiceError as error:
            raise ShadowRefused(f"its key can't be used ({error.message})") from None
        if not shadow.model.startswith(AGENT):
            return
        if "@" not in shadow.model:
            raise ShadowRefused("name the agent with its version (agent:helper@2), so that its tools stay as they are.")
        agent = await self.find_agent(shadow.target)
        acting = sorted({tool.type for tool in agent.tools} - READING)
        if acting:
            raise ShadowRefused(f"the agent has tools that may change something ({', '.join(acting)[:200]}).")
        if agent.approval.tools:
            raise ShadowRefused("the agent waits for approvals, which nobody would give.")

    def _require_chat_models(self, names: Sequence[str], param: str) -> None:
        for name in names:
            model = self.models.by_name.get(name)
            if model is None and name in (*self.routes, self.name):
                raise RouteCyclic(name, name, param)
            if model is None or model.kind != "chat":
                raise RouteModelUnknown(name, param)

    def _require_no_user(self) -> None:
        """A route that answers from documents can't word answers of other routes."""
        for name, other in self.routes.items():
            for target in other.targets:
                if target.groundwork is not None and target.groundwork.model == self.name:
                    raise RouteCyclic(f"{target.model} of the route {name}", self.name)

    async def _require_target(self, target: RouteTarget, spec: RouteSpec) -> None:
        if target.model.startswith(RAG):
            names = rag_collections(target.model)
            if len(names) > MAX_COLLECTIONS or not all(NAME.fullmatch(name) for name in names):
                raise RouteTargetUnknown(target.model)
            for name in names:
                await self._find(self.deps.peers.retriever, f"/v1/collections/{name}", Collection, COLLECTIONS, target)
            self._require_writer(target, target.groundwork.model if target.groundwork else None, spec)
        elif target.model.startswith(AGENT):
            self._require_writer(target, (await self.find_agent(target)).model, spec)
        elif target.model.startswith(PROMPT):
            self._require_writer(target, (await self._find_prompt(target)).model, spec)

    def _require_writer(self, target: RouteTarget, model: str | None, spec: RouteSpec) -> None:
        """The model that words a target's answers is no route to answers."""
        if model is None or model == DEFAULT:
            return
        route = spec if model == self.name else self.routes.get(model)
        if route is not None and not route.is_plain:
            raise RouteCyclic(target.model, model)
        if route is None and target.model.startswith(RAG):
            self._require_chat_models([model], "targets")

    async def find_agent(self, target: RouteTarget) -> Agent:
        """The definition of an agent that a target names; raises `RouteTargetUnknown`."""
        name, at, version = target.model.removeprefix(AGENT).partition("@")
        if not NAME.fullmatch(name) or (at and not version.isdigit()):
            raise RouteTargetUnknown(target.model)
        if not at:
            return await self._find(self.deps.peers.agent, f"/v1/agents/{name}", Agent, AGENTS, target)
        path = f"/v1/agents/{name}/versions"
        page = await self._find(self.deps.peers.agent, path, Page[Agent], AGENTS, target, {"limit": str(VERSIONS)})
        found = next((one for one in page.data if one.version == int(version)), None)
        if found is None:
            raise RouteTargetUnknown(target.model)
        return found

    async def _find_prompt(self, target: RouteTarget) -> Prompt:
        reference = PromptReference.of(target.model.removeprefix(PROMPT))
        if reference is None:
            raise RouteTargetUnknown(target.model)
        path = f"/v1/prompts/{reference.name}"
        if reference.version is not None:
            path += f"/versions/{reference.version}"
        return await self._find(self.deps.peers.agent, path, Prompt, PROMPTS, target)

    async def _find(
        self,
        peer: Peer,
        path: str,
        reply: type[R],
        audiences: Audiences,
        target: RouteTarget,
        params: Mapping[str, str] | None = None,
    ) -> R:
        """From the administrator's own tenant, or the first other one that has it."""
        others = [tenant.name for tenant in (await self.deps.tenants.list_tenants(TENANTS, None)).data]
        for tenant in dict.fromkeys([self.admin.tenant, *others]):
            reader = replace(
                self.admin,
                tenant=tenant,
                scopes=frozenset(("chat", "search", "documents", "agents")),
                models=None,
                collections=None,
            )
            try:
                token = self.deps.issuer.token(reader, audiences, "routes")
                return await peer.call("GET", path, reply, token=token, params=params)
            except PeerError as error:
                if error.http_status != 404:
                    raise
        raise RouteTargetUnknown(target.model)
