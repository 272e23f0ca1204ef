"""The facts that end a call of inference."""

from __future__ import annotations

from typing import Any

from servicekit.core.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotReady,
    QueueFull,
    Unprocessable,
    UpstreamFailed,
)


class CannotLoad(Exception):
    """A model can't be had, for a reason that can be shown to anybody who asks for readiness."""

    code = "model_not_ready"
    """What a call of the model is refused with."""


class EngineMissing(CannotLoad):
    """The library that runs the model is not installed."""

    code = "engine_not_installed"


class FileInvalid(CannotLoad):
    """The file is no model, or one of a form that the engine does not read."""

    code = "model_file_invalid"


class FileTruncated(CannotLoad):
    """The file ends before its model does."""

    code = "model_file_truncated"


class FileChanged(CannotLoad):
    """The file is not the one that was declared."""

    code = "model_file_changed"


class ArchitectureUnknown(CannotLoad):
    """The engine does not know models of this kind."""

    code = "model_architecture_unknown"


class ModelTooLarge(CannotLoad):
    """The model needs more memory than there is for it."""

    code = "model_too_large"


class ModelNotFound(NotFound):
    """No model of that name and kind."""

    code = "model_not_found"

    def __init__(self, name: str, kind: str) -> None:
        of_kind = f"{kind} model" if kind else "model"
        super().__init__(
            f"There is no {of_kind} '{name[:128]}'. GET /v1/models lists what there is; "
            f"'default' means the default {of_kind} where one is configured.",
            param="model",
        )


class DeclarationInvalid(Unprocessable):
    """What was sent is no declaration of a model."""

    code = "invalid_model"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param}: {why.rstrip('.')}. deploy/config/models.yaml shows every key.", param=param)


class DeclarationRefused(InvalidRequest):
    """A declaration names what a model that is added while the service runs may not name."""

    code = "model_refused"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param}: {why.rstrip('.')}.", param=param)


class ApiKeyUnset(DeclarationRefused):
    """The variable with the server's key is not in this service's environment."""

    code = "api_key_not_set"

    def __init__(self, variable: str) -> None:
        super().__init__(
            "source.api_key_env",
            f"the variable {variable} is not set where inference runs. Set it there and start inference again: for a "
            f"home `export {variable}=...` or a line of its config.env, then `groundwork down` and `groundwork up`; "
            "for containers in the file of upstream keys",
        )


class DeclaredInFile(Conflict):
    """The models file declares the name, and wins."""

    code = "model_declared_in_file"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model '{name}' is declared in the models file, which wins. Change it there and start inference "
            "again, or choose another name.",
            param="name",
        )


class EmbeddingModelFixed(Conflict):
    """Vectors of another model are not comparable with those that a collection has."""

    code = "embedding_model_fixed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The embedding model '{name}' can't become another one, nor can its name be given to one after it was "
            "removed: collections may hold its vectors. Add the other model under a name of its own and reindex them "
            "to it. Where its server is, price, limits and queue can be changed.",
            param="name",
        )


class ModelNotUsable(Conflict):
    """The model could not be loaded, so that it can't be what `default` means."""

    code = "model_not_usable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The model '{name}' can't become a default: {why.rstrip('.')}.", param="id")


class ModelNameTaken(Conflict):
    """A pull replaces no model: who waits for it for an hour would not know when."""

    code = "model_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Another model is called '{name}', or this one of another commit or with other settings. Remove it first "
            f"(DELETE /v1/models/{name}), or choose another name.",
            param="model",
        )


class TooManyModels(Conflict):
    """As many models were added as may be."""

    code = "too_many_models"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} models were added, and no more may be. Remove one that is not used.")


class NoReranker(NotFound):
    """No rerank model is declared."""

    code = "no_reranker"

    def __init__(self) -> None:
        super().__init__(
            "No rerank model is configured. Declare one with `kind: rerank` in the models file, "
            "or search without `rerank`.",
            param="model",
        )


class NoReader(NotFound):
    """No reading model is declared."""

    code = "no_reader"

    def __init__(self) -> None:
        super().__init__(
            "No reading model is configured. Declare one with `kind: reading` in the models file.", param="model"
        )


class NoTokenizer(NotFound):
    """The model's tokenizer is not known here."""

    code = "no_tokenizer"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The tokenizer of '{name}' is not known. Set `tokenizer` to its tokenizer.json in the models file."
        )


class NoTokenizerHere(InvalidRequest):
    """Tokens are asked of a model whose tokenizer is not known."""

    code = "no_tokenizer"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The tokenizer of '{name}' is not known: no tokenizer.json is declared, and the server behind it has no "
            "/tokenize that can be used, as vLLM has. Set `tokenizer` to its tokenizer.json in the models file, or "
            "send texts.",
            param="model",
        )


class TokenUnknown(InvalidRequest):
    """A token id beyond the vocabulary."""

    code = "token_unknown"

    def __init__(self, token: int, size: int) -> None:
        super().__init__(
            f"There is no token {token} in this model's vocabulary of {size}. Token ids must be of the model's own "
            "tokenizer: POST /v1/tokenize gives them.",
            param="tokens",
        )


class TokensInexact(InvalidRequest):
    """Token ids in place of a text are not what the model's tokenizer makes of any text."""

    code = "token_ids_foreign"

    def __init__(self, name: str, param: str, number: int, why: str | None = None) -> None:
        what = why or (
            f"These token ids are not what the tokenizer of '{name}' makes of the text that they spell: they are of "
            "another tokenizer, or were cut inside of a word."
        )
        super().__init__(
            f"{what} See number {number}. Send texts (LangChain's OpenAIEmbeddings does with "
            "check_embedding_ctx_length=False, lm-eval with tokenized_requests=False), or ids of POST /v1/tokenize.",
            param=param,
        )


class TextTooLong(InvalidRequest):
    """More than is cut into tokens in one call: each token takes memory of a service that all share."""

    code = "text_too_long"

    def __init__(self, most: int, param: str) -> None:
        super().__init__(f"At most {most:,} characters are read in one call. Send fewer at once.", param=param)


class ModelNotAllowed(Forbidden):
    """The key may not use this model."""

    code = "model_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key may not use the model '{name}'. Ask for a key that lists it.", param="model")


class ModelNotReady(NotReady):
    """The model is loading, failed to load, or does not answer."""

    code = "model_not_ready"

    def __init__(self, name: str, why: str, retry_after: float = 2.0, code: str | None = None) -> None:
        """`code`: of the reason for which it failed to load."""
        super().__init__(f"The model '{name}' is not ready: {why.rstrip('.')}.", retry_after=retry_after)
        self.code = code or self.code


class ModelBusy(QueueFull):
    """As many calls, or as many tokens, wait for the model as may."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(
            f"The model '{name}' has as many calls waiting as it takes. Try again later.", retry_after=retry_after
        )


class ContextExceeded(InvalidRequest):
    """The prompt fills the model's context."""

    code = "context_length_exceeded"

    def __init__(self, tokens: int, limit: int, tool_tokens: int = 0) -> None:
        """`tool_tokens` of the `tokens` tell the model of its tools. The words are OpenAI's: clients look for them."""
        what = "messages and tools" if tool_tokens else "messages"
        of = f" ({tokens - tool_tokens} in the messages, {tool_tokens} in the tools)" if tool_tokens else ""
        super().__init__(
            f"This model's maximum context length is {limit} tokens, the answer included. However, your {what} "
            f"resulted in {tokens} tokens{of}. Please shorten them, or choose a model with a longer context. "
            f"({self.code})",
            param="messages",
        )


class Unsupported(InvalidRequest):
    """The model can't do what a parameter asks for."""

    code = "unsupported_parameter"

    def __init__(
        self, param: str, hint: str = "Leave it out, or choose a model behind an OpenAI-compatible server"
    ) -> None:
        super().__init__(f"This model does not support '{param}'. {hint}.", param=param)


class ToolsUnsupported(Unsupported):
    """The engine does not call tools of this kind."""

    code = "tools_unsupported"


class InvalidSchema(InvalidRequest):
    """A JSON schema is none."""

    code = "invalid_schema"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param} is not a JSON schema that can be used: {why}.", param=param)


class SchemaUnsupported(InvalidRequest):
    """A JSON schema holds what answers can't be guided by."""

    code = "unsupported_schema"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(
            f"Answers can't be held to {param}: {why}. Leave that out of the schema, or choose another model.",
            param=param,
        )


class AnswerUnfit(UpstreamFailed):
    """A model's answer was made to fit a schema as far as a grammar can hold it, and does not fit the rest."""

    code = "answer_unfit"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(
            f"The model's answer does not fit {param}: {why.rstrip('.')}. Ask again, or leave what it did not keep to "
            "out of the schema and check the answer yourself."
        )


class WrongDimensions(InvalidRequest):
    """The model's vectors have another length."""

    code = "dimensions_unsupported"

    def __init__(self, asked: int, has: int) -> None:
        super().__init__(
            f"This model's vectors have {has} dimensions, not {asked}. Leave `dimensions` out or set it to {has}.",
            param="dimensions",
        )


class UpstreamRefused(InvalidRequest):
    """The upstream server says that the request itself is wrong; its message is for the caller."""

    code = "upstream_refused"


class NoCompletions(UpstreamRefused):
    """The upstream server has chats of this model only, which says nothing against the model."""

    code = "not_for_completions"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The server behind the model '{model}' has no completions for it. Ask with POST /v1/chat/completions, or "
            "choose another model.",
            param="model",
        )


class UpstreamBroke(UpstreamFailed):
    """The upstream server failed, or said what can't be understood."""

    def __init__(self, model: str, what: str, usage: dict[str, Any] | None = None) -> None:
        """`usage`: what the server says that it has used all the same."""
        super().__init__(f"The server behind the model '{model}' {what}. Try again, or choose another model.")
        self.usage = usage
