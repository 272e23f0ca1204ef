"""An upstream that streams as vLLM does, one token every `pace_ms` whatever its load: the baseline of a proxy's cost.

`python -m benchmarks.inference.paced_upstream` prints its port. A request's `max_tokens` and `pace_ms` say how long the
answer is and how fast. Written on bare sockets, so that it takes as little of the machine as it can.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
BEGIN = '{"id":"chatcmpl-0d5ad2f7a3a64ac2","object":"chat.completion.chunk","created":1764000000,"model":"org/paced",'


def chunk(content: str) -> bytes:
    """One event as one piece of a chunked body."""
    event = f"data: {content}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def token(number: int) -> bytes:
    """The event of one token; its text is its number."""
    delta = f'{{"content":"{number} "}}'
    return chunk(f'{BEGIN}"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}]}}')


FIRST = chunk(
    f'{BEGIN}"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}}]}}'
)
LAST = chunk(
    f'{BEGIN}"choices":[{{"index":0,"delta":{{"content":""}},"logprobs":null,"finish_reason":"stop","stop_reason":null}}]}}'
)


def end(tokens: int) -> bytes:
    """The finish, the usage, `[DONE]` and the end of the body."""
    usage = f'"usage":{{"prompt_tokens":9,"total_tokens":{9 + tokens},"completion_tokens":{tokens}}}'
    return LAST + chunk(f'{BEGIN}"choices":[],{usage}}}') + chunk("[DONE]") + b"0\r\n\r\n"


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the calls of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [
                line.partition(":")[2] for line in head.lower().splitlines() if line.startswith("content-length:")
            ]
            body = await reader.readexactly(int(lengths[0])) if lengths else b""
            if head.startswith("GET"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
                continue
            asked = json.loads(body)
            if asked.get("stream"):
                await stream(writer, asked)
            else:  # how inference asks whether a model lives
                whole(writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def whole(writer: asyncio.StreamWriter) -> None:
    """An answer of one token in one piece."""
    message = '{"index":0,"message":{"role":"assistant","content":"0 "},"finish_reason":"stop"}'
    usage = '{"prompt_tokens":9,"total_tokens":10,"completion_tokens":1}'
    body = BEGIN.replace(".chunk", "") + f'"choices":[{message}],"usage":{usage}}}'
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write((head + body).encode())


async def stream(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    """One answer; the clock of its tokens does not drift."""
    loop = asyncio.get_running_loop()
    tokens, pace = asked.get("max_tokens") or 1, (asked.get("pace_ms") or 0) / 1e3
    began = loop.time()
    writer.write(HEAD + FIRST)
    for number in range(tokens):
        if pace and (wait := began + number * pace - loop.time()) > 0:
            await asyncio.sleep(wait)
        writer.write(token(number))
        await writer.drain()
    writer.write(end(tokens))


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
