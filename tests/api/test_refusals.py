"""Given this caller and this request, this refusal, before anything runs; and the next request works."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from chat.errors import Unsaved
from chat.owners import LOCAL
from tests.api.served import served
from tests.scripted import HANG, says

ASK = {"message": "Hello?"}
TOKEN = "a-token-of-24-characters"
STARTS = (
    ("POST", "/chat/stream"),
    ("POST", "/chat/stream/acme"),
    ("POST", "/api/message"),
    ("POST", "/stream-chat"),
    ("GET", "/chat?q=Hello"),
)


def refused(answer: httpx.Response, status: int, kind: str = "bad_request") -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert set(told) == {"error", "kind"}
    assert told["kind"] == kind
    assert told["error"].endswith(".")
    return told["error"]


# -- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": " \n"}, "question"),
        ({"message": 7}, "message"),
        ({"message": "x" * 100_001}, "message"),
        ({"message": "\ud83d"}, "message"),
        ({"message": "x", "mesage": "x"}, "mesage"),
        ({"message": "x", "temperature": 2.5}, "temperature"),
        ({"message": "x", "temperature": "1"}, "temperature"),
        ({"message": "x", "temperature": float("nan")}, "temperature"),
        ({"message": "x", "stream": "no"}, "stream"),
        ({"message": "x", "timeout": 0}, "timeout"),
        ({"message": "x", "max_tokens": 0}, "max_tokens"),
        ({"message": "x", "key": "a\0b"}, "key"),
        ({"message": "x", "tools": ["rm"]}, "rm"),
        ({"message": "x", "tools": "calculate"}, "tools"),
        ({"message": "x", "history": [{"role": "system", "content": "x"}]}, "role"),
        ({"message": "x", "history": [{"role": "user", "content": "x"}] * 501}, "history"),
        ({"message": "x", "history": [], "conversation": "a"}, "history"),
        ([], "object"),
        ("Hello", "object"),
    ],
)
async def test_a_body_that_is_not_right_is_told_what_is_wrong(body: Any, names: str) -> None:
    async with served(says("x")) as site:
        for path in ("/api/message", "/stream-chat"):
            answer = await site.client.post(
                path, content=json.dumps(body), headers={"content-type": "application/json"}
            )
            assert names in refused(answer, 422)
        assert site.vendor.asked == []
        assert (await site.post("/stream-chat", ASK)).status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"{", b"[" * 200_000, b'{"message": "' + b"\xff" + b'"}', b'{"message": ' + b"9" * 5000 + b"}"],
)
async def test_a_body_that_is_no_json(content: bytes) -> None:
    async with served() as site:
        for path in ("/chat/stream", "/api/message"):
            answer = await site.client.post(
                path, content=content, headers={"content-type": "application/json"}
            )
            refused(answer, 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_s_body_is_not_taken(kind: str) -> None:
    async with served() as site:
        for _, path in STARTS[:4]:
            answer = await site.client.post(path, content=json.dumps(ASK), headers={"content-type": kind})
            assert "application/json" in refused(answer, 415)


async def test_a_body_that_is_too_large() -> None:
    async with served() as site:
        body = json.dumps({"message": "x", "system": "y" * 1_100_000})
        headers = {"content-type": "application/json"}
        refused(await site.client.post("/chat/stream", content=body, headers=headers), 413, "too_large")


async def test_a_body_without_a_length_that_does_not_end() -> None:
    async with served(says("x")) as site:
        host = site.url.removeprefix("http://")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(
            f"POST /chat/stream HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            'Transfer-Encoding: chunked\r\n\r\nd\r\n{"message": "\r\n'.encode()
        )
        for _ in range(12):
            writer.write(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        async with asyncio.timeout(10):
            assert b" 413 " in await reader.readline()
        writer.close()
        assert site.vendor.asked == []
        assert (await site.post("/stream-chat", ASK)).status_code == 200


async def test_a_disk_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(owner: str, id: str) -> None:
        raise Unsaved("The disk reports an error.")

    async with served(says("x")) as site:
        monkeypatch.setattr(site.app.store, "peek", broken)
        answer = await site.post("/chat/stream", ASK | {"conversation": "A"})
        assert refused(answer, 503, "server") == "The disk reports an error."
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("GET", "/chat/stream", "POST"),
        ("PUT", "/api/message", "POST"),
        ("POST", "/chat", "GET"),
        ("GET", "/runs/A/stop", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_which_there_is(method: str, path: str, takes: str) -> None:
    async with served() as site:
        answer = await site.client.request(method, path)
        assert refused(answer, 405) == f"This address takes {takes}."
        assert answer.headers["allow"] == takes


async def test_another_method_under_v1_is_told_in_openai_s_shape() -> None:
    async with served() as site:
        answer = await site.client.get("/v1/chat/completions")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["error"]["message"] == "This address takes POST."


async def test_no_question_anywhere() -> None:
    async with served() as site:
        refused(await site.client.post("/chat/stream"), 422)
        refused(await site.client.get("/chat"), 422)
        refused(await site.client.get("/chat?q=%20"), 422)


async def test_the_longest_question_of_an_address_fits_into_a_request() -> None:
    async with served(says("x")) as site:
        assert (await site.client.get("/chat", params={"q": "🚴" * 5_000})).status_code == 200
        assert "q: " in refused(await site.client.get("/chat", params={"q": "x" * 5_001}), 422)


# -- who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), STARTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "authorization": f"Bearer {TOKEN}"},
    ],
)
async def test_another_site_s_page_begins_nothing(method: str, path: str, headers: dict[str, str]) -> None:
    async with served(says("x"), environ={"CHAT_TOKEN": TOKEN}) as site:
        json = ASK if method == "POST" else None
        answer = await site.client.request(method, path, json=json, headers=site.cookie() | headers)
        refused(answer, 403)
        assert site.vendor.asked == []


UNASKED = [
    {"sec-fetch-site": "same-origin", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "same-origin", "sec-fetch-dest": "document"},
    {"sec-fetch-site": "none", "sec-fetch-dest": "document"},  # a link in a letter
    # Over plain http a browser says neither.
    {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    {"accept": "image/avif,image/webp,image/png,*/*;q=0.8"},
]


@pytest.mark.parametrize("headers", UNASKED, ids=str)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/chat?q=Hello"), ("POST", "/chat/stream?message=Hello")]
)
async def test_no_link_picture_or_form_begins_anything(
    method: str, path: str, headers: dict[str, str]
) -> None:
    async with served(says("x")) as site:
        refused(await site.client.request(method, path, headers=site.cookie() | headers), 403)
        assert site.vendor.asked == []


async def test_a_program_with_the_token_may_accept_what_it_likes() -> None:
    async with served(says("x"), environ={"CHAT_TOKEN": TOKEN}) as site:
        headers = {"accept": "text/html", "authorization": f"Bearer {TOKEN}"}
        assert (await site.client.get("/chat?q=Hello", headers=headers)).status_code == 200


async def test_a_page_of_ours_may_ask() -> None:
    async with served(says("x"), says("y")) as site:
        own = {"sec-fetch-site": "same-origin", "sec-fetch-dest": "empty", "origin": site.url}
        assert (await site.get("/chat?q=Hello", **own)).status_code == 200
        assert (await site.post("/chat/stream", ASK, **own)).status_code == 200


async def test_on_this_machine_a_stranger_is_somebody_of_their_own() -> None:
    async with served(says("x"), says("y"), says("z")) as site:
        first = await site.client.post("/chat/stream", json=ASK)
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        run, chat = first.headers["run-id"], first.headers["conversation-id"]
        # The client keeps the cookie, so it may read and go on.
        assert (await site.client.get(f"/runs/{run}/events")).status_code == 200
        body = ASK | {"conversation": chat}
        again = await site.client.post("/chat/stream", json=body)
        assert again.status_code == 200
        assert "set-cookie" not in again.headers
        site.client.cookies.clear()
        assert (await site.client.post("/chat/stream", json=body)).status_code == 404
        assert await site.app.store.chats(LOCAL) == []


@pytest.mark.parametrize(("method", "path"), STARTS)
@pytest.mark.parametrize(
    "environ",
    [{"CHAT_TOKEN": TOKEN}, {"CHAT_PUBLIC": "1"}, {"GRADIO_SERVER_NAME": "0.0.0.0"}, {"SPACE_ID": "a/b"}],
)
async def test_elsewhere_a_stranger_is_asked_who_they_are(
    method: str, path: str, environ: dict[str, str]
) -> None:
    async with served(says("x"), environ=environ) as site:
        json = ASK if method == "POST" else None
        answer = await site.client.request(method, path, json=json)
        assert "token" in refused(answer, 401, "auth")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert site.vendor.asked == []
        assert (await site.client.request(method, path, json=json, headers=site.cookie())).status_code == 200


async def test_who_has_the_token_is_the_owner_at_this_machine() -> None:
    async with served(says("x"), environ={"CHAT_TOKEN": TOKEN, "CHAT_PUBLIC": "1"}) as site:
        bearer = {"authorization": f"bearer {TOKEN}"}
        answer = await site.client.post("/chat/stream", json=ASK, headers=bearer)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        [chat] = await site.app.store.chats(LOCAL)
        assert chat.id == answer.headers["conversation-id"]
        events = f"/runs/{answer.headers['run-id']}/events"
        assert (await site.client.get(events, headers=bearer)).status_code == 200
        assert (await site.get(events)).status_code == 404


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}x", "Bearer", "Bearer é", f"Basic {TOKEN}", TOKEN])
async def test_another_token_is_none(header: str) -> None:
    async with served(says("x"), environ={"CHAT_TOKEN": TOKEN}) as site:
        answer = await site.client.post("/chat/stream", json=ASK, headers={b"authorization": header.encode()})
        refused(answer, 401, "auth")


async def test_without_a_token_in_the_settings_none_is_looked_at() -> None:
    async with served(says("x")) as site:
        answer = await site.client.post("/chat/stream", json=ASK, headers={"authorization": "Bearer sk-any"})
        assert answer.status_code == 200
        assert await site.app.store.chats(LOCAL) == []


# -- when ----------------------------------------------------------------------------------------


async def test_too_many_at_once_are_told_when_to_come_again() -> None:
    async with served(*[[HANG]] * 2, environ={"CHAT_RUNS_EACH": "1"}) as site:
        for _ in range(21):  # one is answered, 20 wait
            async with site.client.stream("POST", "/stream-chat", json=ASK, headers=site.cookie()):
                pass
        answer = await site.post("/stream-chat", ASK)
        refused(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
        other = site.client.stream("POST", "/stream-chat", json=ASK, headers=site.cookie("you"))
        async with other as answer:
            assert answer.status_code == 200


async def test_a_conversation_takes_one_question_at_a_time() -> None:
    async with (
        served([HANG]) as site,
        site.client.stream("POST", "/stream-chat", json=ASK, headers=site.cookie()) as answer,
    ):
        body = ASK | {"conversation": answer.headers["conversation-id"]}
        assert "still being written" in refused(await site.post("/stream-chat", body), 400)


async def test_at_the_program_s_end_nothing_begins() -> None:
    async with served([HANG]) as site:
        asked = asyncio.create_task(site.post("/chat/stream", ASK))
        await site.vendor.hanging.wait()
        await site.app.runs.aclose()
        *_, error, _, mark = (await asked).text.strip().split("\n\n")
        assert '"kind": "shutdown"' in error
        assert mark.endswith("data: [DONE]")
        answer = await site.post("/chat/stream", ASK)
        refused(answer, 503, "shutdown")
        assert answer.headers["retry-after"]
