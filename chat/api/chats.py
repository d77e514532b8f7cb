"""The list of conversations over HTTP: search, rename, delete, restore, export, and thumbs on answers.

The page's script (`chat.ui`) calls these with the owner's cookie, a program with the settings' token. Whose
a conversation is, the store decides: an id of somebody else gets the very answer of an id that does not
exist, for every verb. What a request asks is judged before the store is asked, so that a wrong request tells
nothing either.
"""

import asyncio
import contextlib
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from chat.api.callers import known
from chat.api.downloads import EXPORT_LIMITS, RESERVED_EXPORTS, Downloads
from chat.api.gate import is_json
from chat.api.json_bodies import parsed
from chat.build import App
from chat.conversations import Conversation
from chat.errors import Fault, RateLimited
from chat.export import as_json, filename, markdown
from chat.limits import network_of
from chat.shares import Shares
from chat.titles import LENGTH, clean

PAGE = 50
"""Chats in one answer unless more are asked for."""
LARGEST_PAGE = 500
FURTHEST = 1_000_000
LONGEST_SEARCH = 200

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEADERS = {"Cache-Control": "no-store"}


class _Wrong(Exception):
    """The request is not one of ours; the sentence says why."""


def route(parent: FastAPI, app: App) -> None:
    """Before the page is mounted: it takes every address that is left."""
    routes = _Routes(app)
    for method, path, endpoint in (
        ("GET", "/chats", routes.chats),
        ("PATCH", "/chats/{id}", routes.rename),
        ("DELETE", "/chats/{id}", routes.delete),
        ("POST", "/chats/{id}/restore", routes.restore),
        ("GET", "/chats/{id}/export.md", routes.export_markdown),
        ("GET", "/chats/{id}/export.json", routes.export_json),
        ("PUT", "/runs/{id}/thumb", routes.rate),
    ):
        parent.add_api_route(path, endpoint, methods=[method], include_in_schema=False)


class _Routes:
    def __init__(self, app: App) -> None:
        self._app, self._store = app, app.store
        refusal = "Too many chats are being exported at once. Try again in a moment."
        self._exports = Downloads(
            Shares(*EXPORT_LIMITS, refusal, reserved=RESERVED_EXPORTS),
            _refused,
        )

    async def chats(self, request: Request) -> Response:
        """`{"chats": [{id, title, updated, running, found}], "more": bool, "cut": bool}`, latest first.
        `updated`: seconds since the epoch; `found`: the words around what was searched for; `cut`: the search
        took too long, and the oldest chats were not looked at."""
        try:
            search = _text(request.query_params.get("search", ""))
            if len(search) > LONGEST_SEARCH:
                raise _Wrong(f"A search has at most {LONGEST_SEARCH} characters.")
            skip = _number(request.query_params, "skip", 0, 0, FURTHEST)
            limit = _number(request.query_params, "limit", PAGE, 1, LARGEST_PAGE)
        except _Wrong as wrong:
            return _error(422, str(wrong))
        if not (owner := self._owner(request)):
            return _json({"chats": [], "more": False, "cut": False})
        try:
            near = self._near(request, owner)
            found = await self._store.chats(owner, search, skip=skip, limit=limit + 1, network=near)
        except RateLimited as refused:
            return _refused(refused)
        except Fault as fault:
            return _error(503, fault.message)
        fields = ("id", "title", "updated", "running", "found")
        chats = [{name: getattr(chat, name) for name in fields} for chat in found[:limit]]
        return _json({"chats": chats, "more": len(found) > limit, "cut": found.cut})

    async def rename(self, id: str, request: Request) -> Response:
        """`{"title": text}`."""
        try:
            title = (await _body(request)).get("title")
            if not isinstance(title, str) or len(_text(title)) > LENGTH or not (title := clean(title)):
                raise _Wrong(f"A title is a text of 1 to {LENGTH} characters.")
        except _Wrong as wrong:
            return _error(422, str(wrong))
        return await self._for_owner(
            request, id, lambda owner: self._store.rename(owner, id, title), title=title
        )

    async def delete(self, id: str, request: Request) -> Response:
        """It can be restored for a while. Its running answer is stopped: nobody could do so any more."""

        async def change(owner: str) -> bool:
            conversation = await self._store.peek(owner, id)
            if conversation is None or not await self._store.delete(owner, id):
                return False
            if (last := conversation.last) is None or last.transcript.ended is not None:
                return True
            if (run := self._app.runs.get(last.run)) is not None:
                run.stop()
            else:  # another process writes it
                with contextlib.suppress(Fault):
                    await self._store.stop_elsewhere(owner, last.run)
            return True

        return await self._for_owner(request, id, change)

    async def restore(self, id: str, request: Request) -> Response:
        return await self._for_owner(request, id, lambda owner: self._store.restore(owner, id))

    async def rate(self, id: str, request: Request) -> Response:
        """`{"thumb": -1 | 0 | 1}` for the answer of a run."""
        try:
            thumb = (await _body(request)).get("thumb")
            if type(thumb) is not int or thumb not in (-1, 0, 1):  # true is no number here
                raise _Wrong("A thumb is 1 (up), -1 (down) or 0 (neither).")
        except _Wrong as wrong:
            return _error(422, str(wrong))
        return await self._for_owner(
            request, id, lambda owner: self._store.rate(owner, id, thumb), thumb=thumb
        )

    async def export_markdown(self, id: str, request: Request) -> Response:
        return await self._export(request, id, markdown, "md", "text/markdown; charset=utf-8")

    async def export_json(self, id: str, request: Request) -> Response:
        return await self._export(request, id, as_json, "json", "application/json")

    # -- inside ------------------------------------------------------------------------------

    async def _export(
        self, request: Request, id: str, write: Callable[[Conversation], str], suffix: str, kind: str
    ) -> Response:
        async def export() -> Response:
            # In a thread: a long chat takes longer than streams may wait.
            found = await self._found(request, id)
            if isinstance(found, Response):
                return found
            content = await asyncio.to_thread(_written, write, found.snapshot())
            headers = {"Content-Disposition": _attachment(filename(found.title, suffix)), **_HEADERS}
            return Response(content, media_type=kind, headers=headers)

        owner = self._owner(request)
        return self._exports.response(owner, self._near(request, owner), export)

    async def _found(self, request: Request, id: str) -> Conversation | Response:
        """The complete conversation, or the response that says that there is none."""
        conversation: Conversation | None = None

        async def read(owner: str) -> bool:
            nonlocal conversation
            if (conversation := await self._store.peek(owner, id)) is not None:
                await self._store.earlier(conversation, len(conversation.exchanges))
            return conversation is not None

        answer = await self._for_owner(request, id, read)
        return answer if conversation is None or answer.status_code != 200 else conversation

    async def _for_owner(
        self, request: Request, id: str, change: Callable[[str], Awaitable[bool]], **told: Any
    ) -> Response:
        try:
            owner = self._owner(request)
            if owner and _ID.fullmatch(id) and await change(owner):
                return _json({"id": id, **told})
        except Fault as fault:
            return _error(503, fault.message)
        return _nothing()

    def _owner(self, request: Request) -> str:
        return known(self._app, request).owner

    def _near(self, request: Request, owner: str) -> str:
        """The network that `owner` is counted by too; "" where only this machine can connect."""
        if self._app.settings.alone:
            return ""
        return network_of(self._app.settings, owner, request.client.host if request.client else "")


# -- requests ------------------------------------------------------------------------------------


async def _body(request: Request) -> dict[str, Any]:
    if not is_json(request.headers.get("content-type", "")):
        raise _Wrong("The body is to be sent as application/json.")
    try:
        body = parsed(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Wrong("The body is to be a JSON object.")
    return body


def _text(text: str) -> str:
    """One line without control characters and halves of surrogates."""
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text).split())


def _number(query: Mapping[str, str], name: str, otherwise: int, least: int, most: int) -> int:
    text = query.get(name, str(otherwise))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise _Wrong(f"{name} is a whole number from {least} to {most}.")
    return int(text)


# -- answers -------------------------------------------------------------------------------------


def _json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status, headers=_HEADERS)


def _error(status: int, sentence: str) -> Response:
    return _json({"error": sentence}, status)


def _refused(fault: RateLimited) -> Response:
    answer = _error(429, fault.message)
    answer.headers["Retry-After"] = f"{fault.retry_after or 1:.0f}"
    return answer


def _written(write: Callable[[Conversation], str], conversation: Conversation) -> bytes:
    return write(conversation).encode()


def _nothing() -> Response:
    return _error(404, "There is no such chat.")


def _attachment(name: str) -> str:
    """Both forms of RFC 6266: plain ASCII for old programs, then the name itself."""
    stem, dot, suffix = name.rpartition(".")
    plain = " ".join(stem.encode("ascii", "ignore").decode().split()).strip(" .-") or "chat"
    return f"attachment; filename=\"{plain}{dot}{suffix}\"; filename*=UTF-8''{quote(name, safe='')}"
