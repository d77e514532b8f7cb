"""The page at `/embed`, the example of a site with the bot in it, and the one small client that it uses.

    GET /embed   GET /embed/{file}   GET /streaming-chat.js

Files of `static/`, read once at the start: they are a few kilobytes, and a browser asks each time whether
they have changed. Nothing here answers a question: the page asks `/chat/stream` like anybody else.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from chat.api.callers import Refusal
from chat.build import App
from chat.outcomes import ENDINGS
from chat.runs import LONGEST

_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

CLIENT = "streaming-chat.js"

WELCOME = "Ask something, and watch the answer arrive."
EXAMPLES = (
    "Show me Markdown: a table and code",
    "Think aloud: a bicycle and a bell cost 110 together, and the bicycle costs 100 more than the bell. "
    "What does the bell cost?",
    "What is 23 × 19 + 4, and what time is it in Tokyo?",
)
"""Each shows something else: text that takes shape, thinking, tools."""


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media: str

    def answer(self, request: Request) -> Response:
        """Kept by a browser, but never shown without asking: page and script have to be of one version."""
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        known = request.headers.get("if-none-match", "")
        if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media, headers=headers)


class Embed:
    def __init__(self, app: App) -> None:
        settings = app.settings
        examples = (
            f'<button type="button">{escape(each)}</button>' for each in settings.examples or EXAMPLES
        )
        values = {
            "title": escape(settings.title),
            "welcome": escape(settings.welcome or WELCOME),
            "signin": "login" if settings.users else "",
            "longest": str(LONGEST),
            "endings": escape(json.dumps(ENDINGS)),
            "examples": "\n".join(examples),
        }
        page = (_STATIC / "embed.html").read_text("utf-8")
        self._page = re.sub(r"{{(\w+)}}", lambda name: values[name[1]], page)
        self._assets = {
            path.name: Asset(path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(_STATIC.iterdir())
            if path.suffix in _TYPES
        }
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route("/embed", self.page, methods=["GET", "HEAD"])
        self.router.add_api_route("/embed/{name}", self.file, methods=["GET", "HEAD"])
        self.router.add_api_route(f"/{CLIENT}", self.client, methods=["GET", "HEAD"])

    async def page(self) -> Response:
        """`chat.api.cookie` adds the cookie and the Cache-Control header to this answer."""
        return HTMLResponse(self._page)

    async def file(self, request: Request, name: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            return Refusal(404, "There is nothing at this address.", "not_found").response
        return asset.answer(request)

    async def client(self, request: Request) -> Response:
        return self._assets[CLIENT].answer(request)
