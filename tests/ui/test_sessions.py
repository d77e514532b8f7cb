"""Somebody else's session is one that nobody has, for whoever names it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from gradio.server_messages import UnexpectedErrorMessage
from starlette.routing import Mount

from chat.api.gate import Gate
from chat.build import App, open_app
from chat.owners import Owners
from chat.settings import Settings
from chat.ui.gradio_fixes import Boxes
from chat.ui.inputs import Listener
from chat.ui.page import mount
from chat.ui.sessions import GONE, Sessions
from chat.ui.unread import EACH, Unread
from tests.api.served import listening
from tests.ui.test_unread import Nothing

SESSION, QUESTION = "abcdefghij", "canary question"


@dataclass
class Page:
    app: App
    client: httpx.AsyncClient
    ask: int
    """Number of the listener."""
    values: list[Any]
    queue: Any
    """Gradio's."""

    @property
    def boxes(self) -> Boxes:
        return self.queue.pending_messages_per_session

    def cookie(self, owner: str) -> dict[str, str]:
        return {"Cookie": f"{self.app.owners.name}={self.app.owners.cookie(owner)}"}

    async def join(self, owner: str, key: str = "", session: str = SESSION, question: str = QUESTION) -> str:
        sent = {"question": question, "values": self.values, "act": "ask", "key": key or owner}
        body = {"data": [sent], "fn_index": self.ask, "session_hash": session}
        answer = await self.client.post("/gradio_api/queue/join", json=body, headers=self.cookie(owner))
        assert answer.status_code == 200, answer.text
        return answer.json()["event_id"]

    async def read(self, owner: str, address: str = f"/gradio_api/queue/data?session_hash={SESSION}") -> str:
        """All that is said in the session, to its end, however it ends."""
        said = ""
        try:
            async with self.client.stream("GET", address, headers=self.cookie(owner)) as answer:
                async for text in answer.aiter_text():
                    said += text
        except httpx.RemoteProtocolError:
            pass  # as Gradio ends what it does not know
        return said


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with opened() as page:
        yield page


@asynccontextmanager
async def opened(**more: str) -> AsyncIterator[Page]:
    environ = {"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "CHAT_DATABASE": ":memory:", **more}
    async with open_app(Settings.read(environ)) as app:
        parent = mount(FastAPI(), app)
        parent.add_middleware(Gate, local=True)
        async with listening(parent) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
            config = (await client.get("/config")).json()
            ask = next(each for each in config["dependencies"] if each["api_name"] == "ask")
            values = ["demo:fast", 1, False, "", "", "", True, "as it comes", []]
            gradio: list[Any] = [route.app for route in parent.routes if isinstance(route, Mount)]
            yield Page(app, client, ask["id"], values, gradio[0].get_blocks()._queue)


async def test_a_session_is_read_by_who_began_it_and_by_nobody_else(page: Page) -> None:
    await page.join("me")
    for owner in ("other", ""):
        for address in ("/gradio_api/queue/data?session_hash=", "/gradio_api/queue/data?session%5Fhash="):
            said = await page.read(owner, address + SESSION)
            assert said == await page.read(owner, address + "nobody")
            assert QUESTION not in said
    said = await page.read("me")
    assert QUESTION in said
    assert "close_stream" in said


async def test_a_session_that_is_not_there_is_told_as_gradio_does_and_not_logged(
    page: Page, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for address in ("session_hash=nobody", "session_hash=", "session_hash=%00&session_hash=x"):
        said = await page.read("me", f"/gradio_api/queue/data?{address}")
        assert json.loads(said.removeprefix("data: ")) == GONE
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())
    await page.join("me")
    assert QUESTION in await page.read("me")


@pytest.mark.parametrize(
    "body",
    [
        {"fn_index": 9999, "data": []},
        {"fn_index": -1, "data": [{}]},
        {"fn_index": [], "data": []},
        {"fn_index": "ask", "data": [1]},
        {"fn_index": 0, "data": "x"},
        {"fn_index": 0, "data": [1] * 1000},
        {"data": [1]},
        [],
        None,
        {"message": float("nan")},
        {"message": "\ud800"},
    ],
)
async def test_what_the_page_would_not_send_is_refused_without_a_traceback(
    page: Page, body: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """19 of gradio_fixes."""
    for route in ("queue/join", "run/predict"):
        sent = body | {"session_hash": SESSION} if isinstance(body, dict) else body
        headers = page.cookie("me") | {"Content-Type": "application/json"}
        answer = await page.client.post(f"/gradio_api/{route}", content=json.dumps(sent), headers=headers)
        assert (answer.status_code, answer.json()["kind"]) == (400, "bad_request"), (route, answer.text)
        assert "NaN" not in answer.text
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())
    await page.join("me")
    assert QUESTION in await page.read("me")


async def test_every_listener_takes_whatever_comes_without_a_traceback(
    page: Page, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    junk: list[Any] = [None, 1e308, "x", [[]], {"question": 5, "values": "x", "act": []}]
    junk += [{"question": "", "values": [None] * 9, "act": "ask"}]
    headers, number = page.cookie("me"), 0
    for listener in (await page.client.get("/config")).json()["dependencies"]:
        if not listener["backend_fn"] or listener["api_name"] == "chat":  # that one tells programs errors
            continue
        queued = listener["queue"] is not False
        route = "queue/join" if queued else "run/predict"
        for value in junk:
            for event in (None, {"index": [], "value": {"text": []}}, {"index": 0, "value": "x"}):
                number += 1
                body = {
                    "data": [value] * len(listener["inputs"]),
                    "fn_index": listener["id"],
                    "event_data": event,
                }
                body["session_hash"] = f"session{number}"
                answer = await page.client.post(f"/gradio_api/{route}", json=body, headers=headers)
                assert answer.status_code in (200, 400), (listener["api_name"], value, event, answer.text)
                if answer.status_code == 200 and queued:
                    said = await page.read("me", f"/gradio_api/queue/data?session_hash=session{number}")
                    assert '"success":false' not in said.replace(" ", ""), (
                        listener["api_name"],
                        value,
                        event,
                    )
    assert number > 50
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


async def test_of_what_somebody_without_a_cookie_sends_nothing_is_kept(page: Page) -> None:
    long = QUESTION * 10_000
    for number in range(EACH + 5):
        body = {
            "data": [{"question": long, "act": "ask"}],
            "fn_index": page.ask,
            "session_hash": f"s{number}",
        }
        assert (await page.client.post("/gradio_api/queue/join", json=body)).status_code == 200
    assert len(page.boxes) <= EACH
    assert page.boxes.weight() < len(long)


async def test_what_nobody_fetches_is_bounded_and_what_was_fetched_is_gone(
    page: Page, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await page.join("other")
    for number in range(EACH + 5):
        await page.join("me", f"key {number}", f"session {number}")
    assert len(page.boxes) == EACH + 1
    assert "session_not_found" in await page.read("me", "/gradio_api/queue/data?session_hash=session 0")
    assert page.boxes.weight() > 0
    await asyncio.gather(
        page.read("other"),
        *(page.read("me", f"/gradio_api/queue/data?session_hash=session {n}") for n in range(5, EACH + 5)),
    )
    async with asyncio.timeout(5):
        while page.boxes:
            await asyncio.sleep(0.001)
    assert page.boxes.weight() == 0
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


async def test_a_session_that_is_let_go_while_an_answer_is_drawn_draws_no_more(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """21 of gradio_fixes."""
    async with opened(CHAT_DEMO_PACE="1") as page:
        await page.join("me", question="text-1000-50")
        async with asyncio.timeout(10):
            while not page.boxes.weight():
                await asyncio.sleep(0.001)
        [session] = page.boxes
        page.boxes.drop(session, read=False)
        async with asyncio.timeout(10):
            while any(page.queue.active_jobs):
                await asyncio.sleep(0.001)
        assert (len(page.boxes), page.boxes.weight()) == (0, 0)
        assert not page.queue.pending_event_ids_session
        assert "session_not_found" in await page.read("me")
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


async def test_gradio_says_the_same_of_it() -> None:
    """17 of gradio_fixes."""
    error = UnexpectedErrorMessage(message=str(HTTPException(404)), session_not_found=True)
    assert json.loads(error.model_dump_json()) == GONE


async def test_two_of_the_same_name_are_two(page: Page) -> None:
    await page.join("me")
    await page.join("other")
    said = {owner: await page.read(owner) for owner in ("me", "other")}
    mine, theirs = [(await page.app.store.current(owner)).id for owner in said]
    assert mine in said["me"]
    assert mine not in said["other"]
    assert theirs in said["other"]
    assert theirs not in said["me"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b"1" * 5000, b"", b"\xef\xbb\xbf{}"])
async def test_what_cannot_be_read_goes_no_further(body: bytes) -> None:
    async with around() as client:
        for route in ("queue/join", "run/predict"):
            assert (await client.post(f"/gradio_api/{route}", content=body)).status_code == 400


async def test_what_gradio_gets_is_written_anew() -> None:
    sent = {"data": ["é\ud800"], "fn_index": 5, "session_hash": SESSION}
    kept = {**sent, "session_hash": Owners(b"secret").apart("me", SESSION)}
    async with around() as client:
        body = json.dumps({**sent, "trigger_id": 3, "event_data": {"index": 1, "value": 2}})
        twice = body[:-1] + ', "session_hash": "another"}'
        assert (await client.post("/gradio_api/queue/join", content=body)).json() == [kept, ""]
        assert QUESTION not in (await client.post("/gradio_api/queue/join", content=twice)).text
        # Elsewhere nothing is read.
        for path in ("/", "/config"):
            assert (await client.get(path)).json() == [None, ""]


class Nobody(tuple[()]):
    """No session is there."""

    def again(self, session: str) -> None: ...


def around() -> httpx.AsyncClient:
    """A client of an app that says what it was sent: its body and its query."""
    echo = FastAPI()

    @echo.api_route("/{path:path}", methods=["GET", "POST"])
    async def said(request: Request) -> Response:
        body = await request.body()
        assert len(body) == int(request.headers.get("content-length", "0"))
        return Response(json.dumps([json.loads(body) if body else None, request.url.query]))

    owners = Owners(b"secret")
    listeners = {5: Listener(1, selects=False, queued=True)}
    sessions = Sessions(echo, owners=owners, known=Nobody(), unread=Unread(Nothing()), listeners=listeners)
    transport = httpx.ASGITransport(sessions)
    cookies = {owners.name: owners.cookie("me")}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies)
