"""What no route of ours takes, answered before the page would: another method, another address under /v1, and
the addresses that OpenAI's clients ask when their base address lacks /v1.

Without it the page, which takes every address that is left, would say that there is no such thing.
Called by `mount`.
"""

import re
from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from chat.api import chunks
from chat.errors import Kind

_NOTHING = (
    "Of OpenAI's addresses Runnel has POST /v1/chat/completions, GET /v1/models and GET /v1/models/{model}."
)
_NO_V1 = (
    "The base address of an OpenAI client ends in /v1 here, as in http://127.0.0.1:7860/v1. Add /v1 to yours."
)
_TWO_V1 = "The base address of this client ends in /v1 twice. Take one of them away."
WITHOUT_V1 = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/models",
    "/models/{model:path}",
)
"""What clients of OpenAI's ask for that were given the address of the page."""


class _Refuses:
    """An ASGI app that says one sentence to whatever comes."""

    def __init__(self, path: str, status: int, sentence: str, kind: Kind, **headers: str) -> None:
        openai = path.startswith("/v1/") or path in WITHOUT_V1
        self._body = chunks.error(sentence, kind, status) if openai else {"error": sentence, "kind": kind}
        self._status, self._headers = status, {"Cache-Control": "no-store", **headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse(self._body, self._status, self._headers)(scope, receive, send)


def refusing(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """To stand behind `routes`: 405 at their addresses, 404 for what OpenAI has and Runnel has not."""
    allowed: dict[str, set[str]] = {}
    for route in routes:
        if isinstance(route, Route):
            allowed.setdefault(route.path, set()).update(route.methods or ())
    behind: list[BaseRoute] = []
    for path, methods in allowed.items():
        names = ", ".join(sorted(methods))
        refuses = _Refuses(path, 405, f"This address takes {names}.", "bad_request", Allow=names)
        behind.append(Route(path, refuses, include_in_schema=False))
    for path, sentence in (*((path, _NO_V1) for path in WITHOUT_V1), ("/v1/v1/{path:path}", _TWO_V1)):
        behind.append(Route(path, _Refuses(path, 404, sentence, "not_found"), include_in_schema=False))
    path = "/v1/{path:path}"
    rest = Route(path, _Refuses(path, 404, _NOTHING, "not_found"), include_in_schema=False)
    rest.path_regex = re.compile("^/v1/(?P<path>.*)$", re.DOTALL)  # an address may hold a line break
    return [*behind, rest]
