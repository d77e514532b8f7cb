"""Every route of all that is served, by every method, asked by somebody without a cookie.

What answers stands in a list here, for each of three settings; all else is refused, and nothing that anybody
was told holds what an owner said.
"""

import asyncio
import json

import httpx
import pytest

from app import asgi
from chat.build import open_app
from chat.messages import Options
from chat.settings import Settings
from tests.every_route import METHODS, asked, flat

CANARY = "canary question"

ASKED = "GET HEAD"
"""Read by everybody."""

OPEN = {
    "/": ASKED,
    "/embed": ASKED,
    "/streaming-chat.js": ASKED,
    "/healthz": ASKED,
    "/readyz": ASKED,
    # Nobody's: no chat, no name, no answer.
    **dict.fromkeys(("/chats", "/state", "/login/me", "/gradio_api/queue/data"), "GET"),
    # The page itself.
    **dict.fromkeys(("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/gradio_api/app_id"), "GET"),
    # Tells programs of the one endpoint that they may call.
    "/gradio_api/info": "GET",
    "/openapi.json": "GET",
}
ALONE = {
    **OPEN,
    # Whoever comes from this machine alone may ask, as a stranger of their own.
    **dict.fromkeys(("/chat/stream", "/api/message", "/stream-chat", "/v1/chat/completions"), "POST"),
    **dict.fromkeys(("/chat/stream/1", "/chat/stream/predict"), "POST"),
    "/chat": "GET",
    "/v1/models": "GET",
}
LOGIN = {
    "/healthz": ASKED,
    "/readyz": ASKED,
    "/login": ASKED,
    # Leads to the login page.
    "/logout": "POST",
    "/logout/everywhere": "POST",
}
FILES = [
    "/static/fonts/IBMPlexSans/IBMPlexSans-Bold.woff2",
    "/static/js/iframeResizer.contentWindow.min.js",
    "/embed/embed.js",
]
TYPEFACE = FILES[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environ", "open_"),
    [({}, ALONE), ({"CHAT_PUBLIC": "1"}, OPEN), ({"CHAT_USERS": "ada:correct horse"}, LOGIN)],
    ids=["local", "public", "login"],
)
async def test_what_answers_whom_nobody_knows(environ: dict[str, str], open_: dict[str, str]) -> None:
    settings = {"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:", "CHAT_DEMO_PACE": "0", **environ}
    async with open_app(Settings.read(settings)) as app:
        chat = await app.store.current("somebody")
        run = await app.runs.ask(chat, CANARY, Options(model="demo:fast"), key="k")
        await run.finished()
        served = asgi(app)
        expected = {(method, path) for path, methods in open_.items() for method in methods.split()}
        paths = set[str]().union(*(asked(path) for path, _ in flat(served.routes) if path))
        held = [path for path in paths if path.startswith(("/chats/predict", "/runs/predict"))]
        paths |= {path.replace("predict", id) for path in held for id in (chat.id, run.id)}
        assert len(held) > 4
        assert len(paths) > 100
        transport = httpx.ASGITransport(served, client=("127.0.0.1", 5))
        answered = set()
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for path in [*sorted(paths), *FILES]:
                for method in METHODS:
                    client.cookies.clear()
                    body = None if method in ("GET", "HEAD") else question(path)
                    query = {"q": "x", "session_hash": "s"} if method == "GET" else None
                    answer = await client.request(method, path, json=body, params=query)
                    where = (method, path, answer.status_code)
                    assert answer.status_code < 500, where
                    assert CANARY not in answer.text, where
                    assert answer.headers["x-content-type-options"] == "nosniff", where
                    assert "access-control-allow-origin" not in answer.headers, where
                    if answer.status_code < 400:
                        answered.add((method, path))
                    else:
                        assert answer.status_code in (400, 401, 404, 405, 415, 422), where
                        assert method == "HEAD" or "error" in answer.json(), where
                await asyncio.sleep(0)
        files = {("GET", path) for path in FILES if open_ is not LOGIN or path == TYPEFACE}
        assert {pair for pair in answered if pair[1] not in FILES} == {
            pair for pair in expected if pair[1] in paths or pair[1] in LOGIN
        }
        assert {pair for pair in answered if pair[1] in FILES} - {("HEAD", "/embed/embed.js")} == files


def question(path: str) -> dict[str, object]:
    if path == "/v1/chat/completions":
        return {"model": "demo:fast", "messages": [{"role": "user", "content": "x"}]}
    if path.startswith("/gradio_api/"):
        return {"data": [], "fn_index": 0, "session_hash": "s"}
    return json.loads('{"message": "x", "model": "demo:fast"}')
