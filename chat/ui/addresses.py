"""Which of Gradio's addresses are open: those that the page uses, each by its methods. All else is refused.

Gradio has some sixty of them that fetch what an address names, take files, run programs or hold connections.
Pure ASGI, right around Gradio, so that no other way leads there; an address has to be, letter by letter, one
of the list. Gradio is told no more of a request than it needs: of the query the one name that it reads, and
the headers of a list (it would believe `X-Gradio-Server`). A file is one of the package, by its name, and is
what its ending says. `page.mount` places it; `sessions` reads what is sent to the open ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from chat.refusals import refuse

PREFIX = "/gradio_api/"
READ = PREFIX + "queue/data"
JOIN = PREFIX + "queue/join"
CALL = PREFIX + "run/predict"
SESSION = "session_hash"

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
}
"""What a file of the package may be, by its ending. None of them is a page."""

HEADERS = frozenset(
    {
        *(b"host", b"cookie", b"content-type", b"content-length", b"accept", b"accept-encoding"),
        *(b"if-none-match", b"if-modified-since", b"user-agent"),
    }
)

_NOTHING = "There is nothing at this address."


@dataclass(frozen=True, slots=True)
class Address:
    methods: tuple[str, ...] = ("GET",)
    query: tuple[str, ...] = ()
    """Names that Gradio is told."""
    media: str = ""
    """What is served there, whatever Gradio calls it."""


OPEN = {
    "/": Address(("GET", "HEAD")),
    # The page is loaded again when the server is back: it asks whether it is.
    PREFIX + "app_id": Address(),
    JOIN: Address(("POST",)),
    READ: Address(query=(SESSION,)),
    CALL: Address(("POST",)),
    "/theme.css": Address(media=TYPES[".css"]),
    "/favicon.ico": Address(media=TYPES[".svg"]),
    "/manifest.json": Address(media="application/manifest+json"),
    # As gradio_client asks: what stands in the page itself, and what a program may call (`endpoint`).
    "/config": Address(),
    PREFIX + "info": Address(),
}


def of_files(paths: Mapping[str, str]) -> dict[str, Address]:
    """`paths`: of files of the package, each with its ending."""
    return {path: Address(media=TYPES[ending]) for path, ending in paths.items() if ending in TYPES}


class Addresses:
    def __init__(self, app: Any, *, known: Mapping[str, Address]) -> None:
        self._app, self._known = app, known

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            assert scope["type"] == "websocket"
            await send({"type": "websocket.close", "code": 1008})
            return
        path = scope["path"]
        if (address := self._known.get(path)) is None:
            await refuse(send, scope, 404, _NOTHING)
            return
        if scope["method"] not in address.methods:
            names = ", ".join(address.methods)
            await refuse(
                send, scope, 405, f"This address takes {names}.", headers=[(b"allow", names.encode())]
            )
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        told = {
            **scope,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode([pair for pair in query if pair[0] in address.query]).encode(),
            "headers": [pair for pair in scope["headers"] if pair[0] in HEADERS],
        }
        await self._app(told, receive, _as(address.media, send) if address.media else send)


def _as(media: str, send: Any) -> Any:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] in (200, 206):
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"content-type"]
            message = {**message, "headers": [*kept, (b"content-type", media.encode())]}
        await send(message)

    return sent
