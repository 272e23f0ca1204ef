"""An answer as the events of a response, made from a chat's deltas. A whole answer is the last of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.models.chat import ChatRequest
from contracts.models.responses import ResponseRequest
from gateway.chat.responses.output import ENDS, SEARCH_CALL, annotation, blank, item, text_part, tokens
from gateway.chat.responses.tools import own_names, searched
from gateway.chat.unserved import unserved
from servicekit.streams.sse import encode

_PARTS = {
    "text": ("message", "output_text", "text"),
    "refusal": ("message", "refusal", "refusal"),
    "reasoning": ("reasoning", "reasoning_text", "text"),
}
"""What is written, and the item, the part and the field that it is written in."""


class Events:
    """One response while it is made. Events gather until they are taken."""

    def __init__(self, request: ResponseRequest, chat: ChatRequest) -> None:
        self._request = request
        self._response: dict[str, Any] = {}
        self._number = 0
        self._out: list[bytes] = []
        self._item: dict[str, Any] | None = None
        """The output item that is being written."""
        self._part = ""
        """And of a message or of reasoning, what is written there: a key of `_PARTS`."""
        self._call = -1
        self._end: str | None = None
        self._usage: object = None
        self._report: object = None
        self._searches = chat.question() if searched(request) else None
        """What is looked for, where a plain model's `file_search` makes it an answer from documents."""
        self._degraded = unserved(chat)
        self._namespaces = own_names(request)

    def take(self) -> bytes:
        """The events since the last time."""
        out, self._out = b"".join(self._out), []
        return out

    def feed(self, answer: Mapping[str, Any], part: str) -> None:
        """A chunk, or a whole chat completion, whose choice holds a `delta` or a `message`."""
        self._begin(answer)
        self._usage = answer.get("usage") or self._usage
        self._report = answer.get("groundwork") or self._report
        for choice in answer.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._say(choice.get(part) or {}, choice.get("logprobs"))
                self._end = choice.get("finish_reason") or self._end

    def finish(self) -> dict[str, Any]:
        """The chat has ended."""
        self._begin({})
        reason = ENDS.get(self._end or "")
        status = "incomplete" if reason else "completed"
        self._close(status)
        if not self._response["output"]:  # an empty answer is a message, too
            self._open("text")
            self._close(status)
        self._response |= {"incomplete_details": {"reason": reason} if reason else None}
        return self._last(status)

    def fail(self, error: Mapping[str, Any]) -> None:
        """The answer broke off: the response has failed, and an error ends the stream."""
        self._begin({})
        self._close("incomplete")
        fields = {name: error.get(name) for name in ("code", "message", "param")}
        self._response |= {"error": {"code": fields["code"], "message": fields["message"]}}
        self._last("failed")
        self._event("error", **fields, error=dict(error))

    def _begin(self, answer: Mapping[str, Any]) -> None:
        if not self._response:
            self._response = blank(self._request, answer)
            if self._searches is not None:
                self._response["model"] = self._request.model
            for name in ("created", "in_progress"):
                self._event(f"response.{name}", response=self._response)
            if self._searches is not None:
                self._search()

    def _search(self) -> None:
        """The documents are searched before anything is written."""
        self._add(item(SEARCH_CALL, queries=[self._searches], results=None))
        for name in ("in_progress", "searching", "completed"):
            self._event(f"response.{SEARCH_CALL}.{name}", **self._place(content=False))
        self._close("completed")

    def _last(self, status: str) -> dict[str, Any]:
        self._response |= {"status": status, "usage": tokens(self._usage)}
        if self._report is not None or self._degraded:
            report = self._report if isinstance(self._report, Mapping) else {}
            degraded = dict.fromkeys([*report.get("degraded", ()), *self._degraded])
            self._response["groundwork"] = {**report, "degraded": list(degraded)}
        self._event(f"response.{status}", response=self._response)
        return self._response

    def _say(self, delta: Mapping[str, Any], logprobs: object) -> None:
        thought = delta.get("reasoning_content") or delta.get("reasoning")  # servers name it so or so, or both
        for kind, said in (("reasoning", thought), ("refusal", delta.get("refusal")), ("text", delta.get("content"))):
            if isinstance(said, str) and said:
                self._write(kind, said, logprobs if kind == "text" else None)
        for given in delta.get("annotations") or ():
            self._cite(annotation(given))
        for number, call in enumerate(delta.get("tool_calls") or ()):
            self._add_call(call.get("index", number), call)

    def _write(self, kind: str, text: str, logprobs: object) -> None:
        _, _, field = _PARTS[kind]
        self._open(kind)
        part = self._content()[-1]
        part[field] += text
        event = {"text": "output_text", "refusal": "refusal", "reasoning": "reasoning_text"}[kind]
        more: dict[str, Any] = {}
        if kind == "text":
            likely = logprobs.get("content") if isinstance(logprobs, Mapping) else None
            more["logprobs"] = likely or []
            part["logprobs"] += more["logprobs"]
        self._event(f"response.{event}.delta", **self._place(), delta=text, **more)

    def _cite(self, cited: dict[str, Any]) -> None:
        self._open("text")
        cites = self._content()[-1]["annotations"]
        cites.append(cited)
        self._event(
            "response.output_text.annotation.added",
            **self._place(),
            annotation_index=len(cites) - 1,
            annotation=cited,
        )

    def _add_call(self, number: int, call: Mapping[str, Any]) -> None:
        function = call.get("function") or {}
        if self._item is None or self._item["type"] != "function_call" or self._call != number:
            self._close("completed")
            self._call = number
            self._add(self._call_item(call.get("id") or "", function.get("name") or ""))
        assert self._item is not None
        if written := function.get("arguments"):
            self._item["arguments"] += written
            self._event("response.function_call_arguments.delta", **self._place(content=False), delta=written)

    def _call_item(self, call_id: str, name: str) -> dict[str, Any]:
        """With the name that the caller knows."""
        space, own = self._namespaces.get(name, (None, name))
        within = {"namespace": space} if space else {}
        return item("function_call", call_id=call_id, name=own, **within, arguments="")

    def _open(self, kind: str) -> None:
        """Have a part of this kind open, in an item of its kind."""
        holder, part, field = _PARTS[kind]
        if self._item is not None and self._part == kind:
            return
        if self._item is None or self._item["type"] != holder:
            self._close("completed")
            fields: dict[str, Any] = {"role": "assistant"} if holder == "message" else {"summary": []}
            self._add(item(holder, **fields, content=[]))
        else:
            self._close_part()
        self._part = kind
        begun = text_part() if kind == "text" else {"type": part, field: ""}
        self._event("response.content_part.added", **self._place(new=True), part=begun)
        self._content().append(begun)

    def _add(self, new: dict[str, Any]) -> None:
        self._item, self._part = new, ""
        self._event("response.output_item.added", output_index=len(self._response["output"]), item=new)
        self._response["output"].append(new)

    def _close_part(self) -> None:
        if not self._part:
            return
        _, name, field = _PARTS[self._part]
        part = self._content()[-1]
        more = {"logprobs": part["logprobs"]} if self._part == "text" else {}
        self._event(f"response.{name}.done", **self._place(), **{field: part[field]}, **more)
        self._event("response.content_part.done", **self._place(), part=part)
        self._part = ""

    def _close(self, status: str) -> None:
        """The item is whole, or as whole as it will be."""
        if self._item is None:
            return
        self._close_part()
        if self._item["type"] == "function_call":
            called = {name: self._item[name] for name in ("name", "arguments")}
            self._event("response.function_call_arguments.done", **self._place(content=False), **called)
        self._item["status"] = status
        self._event("response.output_item.done", output_index=len(self._response["output"]) - 1, item=self._item)
        self._item = None

    def _content(self) -> list[dict[str, Any]]:
        assert self._item is not None
        content: list[dict[str, Any]] = self._item["content"]
        return content

    def _place(self, *, content: bool = True, new: bool = False) -> dict[str, Any]:
        assert self._item is not None
        place = {"item_id": self._item["id"], "output_index": len(self._response["output"]) - 1}
        return {**place, "content_index": len(self._content()) - (not new)} if content else place

    def _event(self, kind: str, **fields: Any) -> None:
        body = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        self._out.append(encode(json.dumps(body, ensure_ascii=False, separators=(",", ":")), event=kind))
