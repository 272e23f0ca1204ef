"""The web console's files, and the way there for a browser that asks for `/`.

All of them are in memory, small and compressed once; they need no key, since what they show comes from the API. Every
address is relative, so that the console works below any prefix of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.api.direct_routes import DirectRoute
from webconsole.assets import CONTENT_SECURITY_POLICY, VERSION, Asset, load_assets

PLACE = "console/"
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER, ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"


def console_routes() -> list[Route]:
    """`/`, `/console` and all below it."""
    _assets()  # a file that can't be read is known at the start
    return [
        DirectRoute("/", _front_door, methods=["GET"]),
        DirectRoute("/console", _beside, methods=["GET"]),
        DirectRoute("/console/{path:path}", _file, methods=["GET"]),
    ]


async def _front_door(request: Request) -> Response:
    """Browsers go on to the console; programs are told that there is no such call, as ever."""
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(404)
    return RedirectResponse(PLACE, headers={"Vary": "Accept", "Cache-Control": ASK_EACH_TIME})


async def _beside(_: Request) -> Response:
    return RedirectResponse(PLACE)


@cache
def _assets() -> Mapping[str, Asset]:
    return load_assets()


async def _file(request: Request) -> Response:
    path = request.path_params["path"]
    named = path.removeprefix(_assets()[VERSION].body.decode() + "/")
    asset = _assets().get(named)
    if asset is None:
        raise HTTPException(404)
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": ASK_EACH_TIME if named == path else FOR_EVER,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.body, headers=headers, media_type=asset.media_type)
