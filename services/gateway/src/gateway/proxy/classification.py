"""Classification and moderation: texts go to a model of inference, labels or categories come back."""

from __future__ import annotations

from contracts.models.catalog import ModelInfo
from contracts.models.classification import (
    CATEGORIES,
    Classification,
    ClassifyReply,
    ClassifyRequest,
    Moderated,
    ModerationReply,
    ModerationRequest,
    ModerationRules,
)
from gateway.auth.tokens import MODELS
from gateway.dependencies import Dependencies
from gateway.limits.max_usage import encoded_tokens_of, tokens_of
from gateway.limits.reservations import MaxUsage
from gateway.models.cost import cost_nano_usd
from gateway.models.errors import RulesUnusable
from gateway.proxy.vector_calls import JUDGEMENT_TOKENS, ask, bill_embedded, give, screened, usage_of
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from gateway.usage.records import count
from servicekit.core.identifiers import new_id
from servicekit.web.json_bodies import off_loop, parse


async def classify(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """The likeliest label of each text."""
    body = await exchange.body()
    request = await screened(exchange, call, await parse(ClassifyRequest, body), len(body))
    models = await deps.catalog.models(call.principal.tenant, request.model)
    model = models.classifier(request.model, call.principal, by_labels=request.labels is not None)
    reply = await _classified(exchange, deps, call, model, request)
    await give(exchange, call, reply)


async def moderate(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """Whether each text is one that should not be let through, in OpenAI's form. All of a text is read."""
    body = await exchange.body()
    request = await screened(exchange, call, await parse(ModerationRequest, body), len(body))
    model = (await deps.catalog.models(call.principal.tenant)).moderator(request.model, call.principal)
    asked = ClassifyRequest(input=request.texts(), long_inputs="highest")
    reply = await _classified(exchange, deps, call, model, asked)
    assert model.moderation is not None
    try:
        moderated = await off_loop(len(reply), _moderation_of, model, model.moderation, reply)
    except RulesUnusable:
        deps.catalog.discard()  # the model may be another one since its rules were read
        raise
    await give(exchange, call, moderated)


async def _classified(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, model: ModelInfo, request: ClassifyRequest
) -> bytes:
    """Inference's answer, charged as what the model reads: a head embeds, a guard is a chat model that writes, too."""
    call.model = model.id
    works = (await deps.catalog.models(call.principal.tenant)).worker(model)
    texts, labels = request.texts(), request.label_texts().values()
    is_embedded = model.kind == "embedding" or model.embedding_model is not None
    written = 0 if is_embedded else JUDGEMENT_TOKENS * len(texts)
    reckoned = encoded_tokens_of if is_embedded else tokens_of
    await deps.reserve(exchange, call, MaxUsage.of_model(works, reckoned(*texts, *labels), written))
    named = request.model_copy(update={"model": model.id})
    seconds = deps.settings.call_timeout_seconds
    reply = await ask(exchange, deps, call, deps.peers.inference, "/v1/classify", MODELS, named, seconds)
    if is_embedded:
        bill_embedded(call, works, reply)
        return reply
    usage = usage_of(reply)
    call.tokens.prompt, call.tokens.completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    call.cost = cost_nano_usd(works.price, call.tokens.prompt, call.tokens.completion)
    if not call.tokens.prompt:
        call.bill_as_reserved()
    return reply


def _moderation_of(model: ModelInfo, rules: ModerationRules, reply: bytes) -> bytes:
    classified = ClassifyReply.model_validate_json(reply)
    for one in classified.results:
        if unknown := rules.categories.keys() - one.scores.keys():
            raise RulesUnusable(model.id, min(unknown))
    results = [_moderated(rules, one) for one in classified.results]
    return ModerationReply(id=new_id("modr"), model=model.id, results=results).model_dump_json(by_alias=True).encode()


def _moderated(rules: ModerationRules, classified: Classification) -> Moderated:
    """The highest score of each category's labels; OpenAI's other categories are there, too, as not looked at."""
    scores: dict[str, float] = {}
    for label, category in rules.categories.items():
        scores[category] = max(scores.get(category, 0.0), classified.scores[label])
    categories = {category: score >= rules.threshold for category, score in scores.items()}
    every = dict.fromkeys((*CATEGORIES, *scores))
    return Moderated(
        flagged=any(categories.values()),
        categories={category: categories.get(category, False) for category in every},
        category_scores={category: scores.get(category, 0.0) for category in every},
        category_applied_input_types={category: ["text"] if category in scores else [] for category in every},
    )
