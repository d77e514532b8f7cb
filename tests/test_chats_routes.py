"""Given this owner and this request, this answer: the list of conversations over HTTP."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from chat.api import chats
from chat.build import App, open_app
from chat.conversations import Conversation
from chat.errors import Fault
from chat.messages import Options
from chat.owners import COOKIE, LOCAL
from chat.settings import Settings
from chat.shares import Shares

NOTHING = {"error": "There is no such chat."}
HOSTILE = ["<img src=x onerror=alert(1)>", "' OR 1=1--", '"; DROP TABLE chats; --', "${7*7} {{7*7}}", "«‮abc»"]


@dataclass
class Site:
    app: App
    client: httpx.AsyncClient

    async def ask(self, question: str, owner: str = "me", model: str = "demo:tour") -> Conversation:
        """A conversation of `owner`, answered."""
        conversation = self.app.store.new(owner)
        run = await self.app.runs.ask(conversation, question, Options(model=model))
        await run.finished()
        return conversation

    async def __call__(
        self, method: str, path: str, owner: str = "me", body: Any = None, **more: Any
    ) -> httpx.Response:
        headers = {"Cookie": f"{COOKIE}={self.app.owners.cookie(owner)}"} if owner else {}
        if body is not None:
            more["content"] = body if isinstance(body, str | bytes) else json.dumps(body)
            headers["Content-Type"] = more.pop("kind", "application/json")
        return await self.client.request(method, path, headers=headers, **more)

    async def titles(self, owner: str = "me", **query: Any) -> list[str]:
        answer = await self("GET", "/chats", owner, params=query)
        assert answer.status_code == 200, answer.text
        return [chat["title"] for chat in answer.json()["chats"]]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_app(Settings.read({"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0"})) as app:
        parent = FastAPI()
        chats.route(parent, app)
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Site(app, client)


async def test_a_program_with_the_token_is_the_owner_at_this_machine() -> None:
    token = "a-token-of-the-tests-0123"
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "CHAT_TOKEN": token})
    async with open_app(settings) as app:
        parent = FastAPI()
        chats.route(parent, app)
        transport = httpx.ASGITransport(parent)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            site = Site(app, client)
            mine = await site.ask("mine", LOCAL)
            bearer = {"Authorization": f"Bearer {token}"}
            listed = (await client.get("/chats", headers=bearer)).json()["chats"]
            assert [chat["id"] for chat in listed] == [mine.id]
            wrong = await client.delete(f"/chats/{mine.id}", headers={"Authorization": "Bearer another"})
            assert wrong.status_code == 404
            assert (await client.delete(f"/chats/{mine.id}", headers=bearer)).status_code == 200
            assert await site.titles(LOCAL) == []


# -- the list ----------------------------------------------------------------------------------


async def test_the_list_is_the_owner_s_alone_latest_first(site: Site) -> None:
    for question in ("first", "second"):
        await site.ask(question)
    await site.ask("of somebody else", "you")
    answer = await site("GET", "/chats")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["more"] is False
    first = answer.json()["chats"][0]
    assert set(first) == {"id", "title", "updated", "running", "found"}
    assert abs(first["updated"] - time.time()) < 60
    assert first["running"] is False
    assert await site.titles() == ["second", "first"]
    assert await site.titles("you") == ["of somebody else"]


async def test_without_a_cookie_there_is_nothing(site: Site) -> None:
    await site.ask("mine")
    for owner in ("", "nobody"):
        assert (await site("GET", "/chats", owner)).json() == {"chats": [], "more": False, "cut": False}
    forged = await site.client.get("/chats", headers={"Cookie": f"{COOKIE}=me.{'A' * 43}"})
    assert forged.json() == {"chats": [], "more": False, "cut": False}


async def test_pages_follow_one_another(site: Site) -> None:
    for n in range(5):
        await site.ask(f"question {n}")
    answer = (await site("GET", "/chats", params={"skip": 0, "limit": 2})).json()
    assert answer["more"] is True
    assert [chat["title"] for chat in answer["chats"]] == ["question 4", "question 3"]
    assert await site.titles(skip=2, limit=2) == ["question 2", "question 1"]
    last = (await site("GET", "/chats", params={"skip": 3, "limit": 2})).json()
    assert (len(last["chats"]), last["more"]) == (2, False)
    assert await site.titles(skip=5) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"skip": "-1"}, "skip"),
        ({"skip": "many"}, "skip"),
        ({"skip": "9" * 30}, "skip"),
        ({"skip": "1.5"}, "skip"),
        ({"skip": "٣"}, "skip"),
        ({"limit": "0"}, "limit"),
        ({"limit": "100000"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"search": "x" * 201}, "search"),
    ],
)
async def test_a_wrong_request_for_the_list_is_told_so(site: Site, query: dict[str, str], named: str) -> None:
    for owner in ("me", ""):
        answer = await site("GET", "/chats", owner, params=query)
        assert answer.status_code == 422
        assert named in answer.json()["error"]


@pytest.mark.parametrize(
    "search", [*HOSTILE, '"*', "%", "_", "*", '"', "NEAR(", "a AND", "\x00", "-", "^", "title:x"]
)
async def test_a_hostile_search_finds_no_more_than_its_words(site: Site, search: str) -> None:
    await site.ask("About bicycles")
    await site.ask("secret", "you")
    found = await site.titles(search=search)
    assert "secret" not in found
    assert found in ([], ["About bicycles"])


async def test_a_search_finds_words_of_titles(site: Site) -> None:
    await site.ask("About bicycles")
    await site.ask("About Ärger")
    assert await site.titles(search="bicycles") == ["About bicycles"]
    assert await site.titles(search="ärger") == ["About Ärger"]
    assert await site.titles(search="  ") == ["About Ärger", "About bicycles"]
    assert await site.titles(search="zebra") == []


async def test_a_search_finds_words_of_texts_and_tells_where(site: Site) -> None:
    conversation = await site.ask(f"About bicycles {'and so on ' * 20} with a <b>zebra</b> at the end")
    await site.ask("About a zebra of somebody else", "you")
    chat = (await site("GET", "/chats", params={"search": "Zebra"})).json()["chats"]
    assert [each["id"] for each in chat] == [conversation.id]
    assert "zebra" in chat[0]["found"]
    assert len(chat[0]["found"]) < 300
    word = max(re.findall(r"[a-z]+", conversation.exchanges[0].transcript.text), key=len)
    assert len(await site.titles(search=word)) == 1
    assert len(await site.titles(search=f"{word} zebra")) == 1
    assert await site.titles(search=f"{word} giraffe") == []


async def test_a_running_one_is_marked(site: Site) -> None:
    conversation = site.app.store.new("me")
    run = await site.app.runs.ask(conversation, "Stall, please", Options(model="demo:tour"))
    assert (await site("GET", "/chats")).json()["chats"][0]["running"] is True
    run.stop()
    await run.finished()
    await asyncio.sleep(0)  # for what is called when it has ended
    assert (await site("GET", "/chats")).json()["chats"][0]["running"] is False


# -- changes -----------------------------------------------------------------------------------


async def test_rename(site: Site) -> None:
    id = (await site.ask("first")).id
    before = site.app.store.version_of("me")
    answer = await site("PATCH", f"/chats/{id}", body={"title": "  Another\n name\x00\x1b[31m  "})
    assert (answer.status_code, answer.json()) == (200, {"id": id, "title": "Another name"})
    assert await site.titles() == ["Another name"]
    assert site.app.store.version_of("me") > before


@pytest.mark.parametrize("title", [*HOSTILE, "x" * 200, "שלום עולם", "日本語", "a\ud800b"])
async def test_any_text_is_a_title(site: Site, title: str) -> None:
    id = (await site.ask("first")).id
    answer = await site("PATCH", f"/chats/{id}", body={"title": title})
    assert answer.status_code == 200
    assert await site.titles() == [title.replace("\ud800", "\ufffd")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": " \n\x00\x07 "},
        {"title": "x" * 201},
        {"title": 5},
        {"title": None},
        {"title": ["x"]},
        ["title"],
        "null",
        "{",
        b"\xff\xfe",
        "[" * 100_000,
    ],
)
async def test_what_is_no_title_is_refused_in_words(site: Site, body: Any) -> None:
    id = (await site.ask("first")).id
    answer = await site("PATCH", f"/chats/{id}", body=body)
    assert answer.status_code == 422
    assert answer.json()["error"].endswith(".")
    assert await site.titles() == ["first"]


async def test_a_form_of_another_page_changes_nothing(site: Site) -> None:
    id = (await site.ask("first")).id
    answer = await site("PATCH", f"/chats/{id}", body={"title": "theirs"}, kind="text/plain")
    assert answer.status_code == 422
    assert await site.titles() == ["first"]


async def test_delete_and_restore(site: Site) -> None:
    first, second = [(await site.ask(question)).id for question in ("first", "second")]
    assert (await site("DELETE", f"/chats/{first}")).status_code == 200
    assert await site.titles() == ["second"]
    assert (await site("DELETE", f"/chats/{first}")).json() == NOTHING
    assert (await site("GET", f"/chats/{first}/export.md")).json() == NOTHING
    assert (await site("POST", f"/chats/{first}/restore")).status_code == 200
    assert await site.titles() == ["second", "first"]
    assert (await site("POST", f"/chats/{first}/restore")).json() == NOTHING
    assert (await site("GET", f"/chats/{second}/export.md")).status_code == 200


@pytest.mark.parametrize("public", [True, False])
async def test_searches_and_exports_are_shared_out_by_network_too(
    site: Site, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    monkeypatch.setattr(Settings, "alone", not public)
    asked: list[tuple[str, str]] = []
    of = Shares.of

    def noting(shares: Shares, owner: str, network: str = "") -> AbstractAsyncContextManager[None]:
        asked.append((owner, network))
        return of(shares, owner, network)

    monkeypatch.setattr(Shares, "of", noting)
    for owner in ("me", LOCAL):
        chat = await site.ask("question", owner)
        assert await site.app.store.saved(5)
        assert await site.titles(owner, search="question") == ["question"]
        assert (await site("GET", f"/chats/{chat.id}/export.md", owner)).status_code == 200
    assert asked == [("me", "127.0.0.1" if public else "")] * 2 + [(LOCAL, "")] * 2


async def test_a_deleted_chat_s_running_answer_is_stopped(site: Site) -> None:
    conversation = site.app.store.new("me")
    run = await site.app.runs.ask(conversation, "Stall, please", Options(model="demo:tour"))
    await run.wait(5)  # it is on its way
    assert run.state == "running"
    assert (await site("DELETE", f"/chats/{conversation.id}")).status_code == 200
    await run.finished()
    assert run.state == "stopped"


async def test_neither_listing_nor_export_nor_delete_moves_the_owner_to_another_chat(site: Site) -> None:
    first, second = await site.ask("first"), await site.ask("second")
    await site("GET", "/chats")
    await site("GET", f"/chats/{first.id}/export.md")
    await site("DELETE", f"/chats/{first.id}")
    assert (await site.app.store.current("me")).id == second.id


@pytest.mark.parametrize("thumb", [1, -1, 0])
async def test_a_thumb(site: Site, thumb: int) -> None:
    conversation = await site.ask("first")
    run = conversation.exchanges[0].run
    answer = await site("PUT", f"/runs/{run}/thumb", body={"thumb": thumb})
    assert (answer.status_code, answer.json()) == (200, {"id": run, "thumb": thumb})
    assert conversation.exchanges[0].thumb == thumb


@pytest.mark.parametrize(
    "body", [{}, {"thumb": 2}, {"thumb": True}, {"thumb": 1.0}, {"thumb": "1"}, [1], "1"]
)
async def test_what_is_no_thumb_is_refused(site: Site, body: Any) -> None:
    conversation = await site.ask("first")
    run = conversation.exchanges[0].run
    assert (await site("PUT", f"/runs/{run}/thumb", body=body)).status_code == 422
    assert conversation.exchanges[0].thumb == 0


# -- whose it is ---------------------------------------------------------------------------------

VERBS = [
    ("PATCH", "/chats/{}", {"title": "theirs"}),
    ("PATCH", "/chats/{}", {"title": ""}),
    ("PATCH", "/chats/{}", "{"),
    ("DELETE", "/chats/{}", None),
    ("POST", "/chats/{}/restore", None),
    ("GET", "/chats/{}/export.md", None),
    ("GET", "/chats/{}/export.json", None),
    ("PUT", "/runs/{}/thumb", {"thumb": 1}),
    ("PUT", "/runs/{}/thumb", {"thumb": 2}),
]


@pytest.mark.parametrize(("method", "path", "body"), VERBS)
async def test_a_foreign_id_answers_as_an_unknown_one(site: Site, method: str, path: str, body: Any) -> None:
    theirs = await site.ask("secret plans", "you")
    gone = await site.ask("thrown away", "you")
    await site.app.store.delete("you", gone.id)
    await site.ask("mine")
    foreign = [theirs.id, theirs.exchanges[0].run, gone.id, gone.exchanges[0].run]
    unknown = [
        "nothing-like-it",
        "A" * 16,
        "x",
        "local",
        "x" * 500,
        quote("' OR 1=1--", ""),
        quote("\x00é", ""),
    ]
    wrong = isinstance(body, str) or body in ({"title": ""}, {"thumb": 2})
    answers = set()
    for owner in ("me", "", "nobody"):
        for id in foreign + unknown:
            answer = await site(method, path.format(id), owner, body)
            answers.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
    assert len(answers) == 1
    status, content, _ = answers.pop()
    assert status == (422 if wrong else 404)
    assert wrong or json.loads(content) == NOTHING
    assert await site.titles("you") == ["secret plans"]
    assert theirs.exchanges[0].thumb == 0
    assert (await site("POST", f"/chats/{gone.id}/restore", "you")).status_code == 200


# -- the disk ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "verb"),
    [
        ("GET", "/chats", None, "chats"),
        ("PATCH", "/chats/{}", {"title": "new"}, "rename"),
        ("DELETE", "/chats/{}", None, "delete"),
        ("POST", "/chats/{}/restore", None, "restore"),
        ("GET", "/chats/{}/export.json", None, "earlier"),
        ("PUT", "/runs/{}/thumb", {"thumb": 1}, "rate"),
    ],
)
async def test_a_disk_that_does_not_take_it_is_said(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any, verb: str
) -> None:
    id = (await site.ask("first")).id

    async def full(*args: Any, **kwargs: Any) -> Any:
        raise Fault("The disk is full. Make room, and it will be saved.")

    monkeypatch.setattr(site.app.store, verb, full)
    answer = await site(method, path.format(id), body=body)
    assert answer.status_code == 503
    assert answer.json() == {"error": "The disk is full. Make room, and it will be saved."}


# -- files -----------------------------------------------------------------------------------------


async def test_the_files(site: Site) -> None:
    id = (await site.ask("What can you do?")).id
    answer = await site("GET", f"/chats/{id}/export.md")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"What can you do.md\"; filename*=UTF-8''What%20can%20you%20do.md"
    )
    assert "> What can you do?" in answer.text
    answer = await site("GET", f"/chats/{id}/export.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["conversation"]["id"] == id
    assert "me" not in answer.json()["conversation"].values()
    assert site.app.owners.cookie("me") not in answer.text


@pytest.mark.parametrize(
    ("title", "plain", "encoded"),
    [
        ("Überfall auf 日本", "berfall auf", "%C3%9Cberfall%20auf%20%E6%97%A5%E6%9C%AC"),
        ('a"; filename="evil.exe', "a filename= evil.exe", "a%20filename%3D%20evil.exe"),
        ("../../etc/passwd", "etc passwd", "etc%20passwd"),
        ("日本", "chat", "%E6%97%A5%E6%9C%AC"),
        ("///", "chat", "chat"),
    ],
)
async def test_a_title_in_the_header_of_a_file(site: Site, title: str, plain: str, encoded: str) -> None:
    id = (await site.ask("first")).id
    await site("PATCH", f"/chats/{id}", body={"title": title})
    for suffix in ("md", "json"):
        answer = await site("GET", f"/chats/{id}/export.{suffix}")
        expected = f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{encoded}.{suffix}"
        assert answer.headers["content-disposition"] == expected
