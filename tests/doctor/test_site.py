"""The doctor looks at what is served at an address: given this server, or this answer, that verdict."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from chat.api import chats
from chat.api.gate import Gate
from chat.api.mount import mount
from chat.build import open_app
from chat.cli.doctor import probe, site
from chat.cli.doctor.outcome import Outcome
from chat.cli.doctor.probe import Heard
from chat.owners import LOCAL
from chat.settings import Settings
from chat.settings.values import Secret
from tests.api.served import listening

TOKEN = "a-token-of-the-tests-0123"
STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform"}


async def looked(url: str, token: str = "") -> dict[str, Outcome]:
    return {o.name: o async for o in site.checks(url, Secret(token) if token else None)}


def heard(
    *times: float, head: float = 0.01, first: float = 0.02, headers: Mapping[str, str] = STREAM
) -> Heard:
    return Heard(200, headers, head, first, [(at, "tick") for at in times])


# -- what streams


async def test_all_is_well_and_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "FIRST", 1.0)  # seconds, for a machine with other things to do
    monkeypatch.setattr(site, "OPENING", 5.0)
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_TOKEN": TOKEN, "CHAT_DATABASE": ":memory:"})
    async with open_app(settings) as app:
        parent = FastAPI(openapi_url=None)
        chats.route(parent, app)
        mount(parent, app)
        parent.add_middleware(Gate, local=True)
        async with listening(parent) as url:
            found = await looked(url, TOKEN)
            assert await app.store.chats(LOCAL) == []
            asked = await looked(url)
    # A machine with other things to do may gather some ticks, or find one answer slow.
    assert {name for name, o in found.items() if o.verdict != "ok"} <= {"streaming", "first word"}, found
    assert found["streaming"].figures["ticks"] == 20
    assert found["streaming"].figures["bursts"] >= site.FEW
    assert list(asked) == ["address", "ready", "question"]
    assert "CHAT_TOKEN" in asked["question"].next


class Held:
    """A server that speaks as Runnel does, and holds its answers back."""

    def __init__(self, ready: bool = True) -> None:
        self.app = FastAPI(openapi_url=None)
        self.app.get("/healthz")(lambda: {"status": "ok"})
        self.app.get("/readyz", status_code=200 if ready else 503)(
            lambda: {"status": "ok"} if ready else {"error": "The disk is full."}
        )
        self.app.post("/chat/stream")(self.stream)

    async def stream(self, request: Request) -> StreamingResponse:
        asked = (await request.json())["message"]
        ticks = site.TICKS if "ticks" in asked else 1
        frames = "".join(f"data: {json.dumps({'content': f'tick {n}'})}\n\n" for n in range(ticks))

        async def written() -> AsyncIterator[bytes]:
            if ticks > 1:
                await asyncio.sleep(site.OPENING + 0.2)
            yield f"{frames}data: [DONE]\n\n".encode()

        return StreamingResponse(written(), headers=STREAM)


async def test_a_proxy_that_holds_everything_back() -> None:
    async with listening(Held().app) as url:
        found = await looked(url)
    assert "arrived in 1 burst:" in found["streaming"].said
    assert "proxy_buffering off;" in found["streaming"].next
    verdicts = {name: outcome.verdict for name, outcome in found.items()}
    assert verdicts["streaming"] == verdicts["first byte"] == verdicts["websocket"] == "failed"
    assert verdicts["other sites"] == "failed"
    assert verdicts["headers"] == verdicts["first word"] == "ok"


async def test_one_that_is_not_ready() -> None:
    async with listening(Held(ready=False).app) as url:
        found = await looked(url)
    assert (found["ready"].verdict, found["ready"].said) == ("failed", "The disk is full.")


@pytest.mark.parametrize(
    ("gaps", "verdict", "bursts"),
    [
        ([0.1] * 19, "ok", 20),
        ([0.1] * 14 + [0.0] * 5, "ok", 15),
        ([0.1] * 8 + [0.01] * 11, "warning", 9),
        ([0.1] * 3 + [0.01] * 16, "failed", 4),
        ([0.0] * 19, "failed", 1),
        ([0.1] * 10, "failed", 11),
    ],
)
def test_bursts(gaps: list[float], verdict: str, bursts: int) -> None:
    found = site.bursts(heard(*(sum(gaps[:at]) for at in range(len(gaps) + 1))))
    assert (found.verdict, found.figures["bursts"]) == (verdict, bursts)


@pytest.mark.parametrize(
    ("head", "first", "way", "verdict"),
    [
        (0.03, 0.04, 0.01, "ok"),
        (0.03, 0.09, 0.01, "failed"),
        (0.58, 0.58, 0.01, "failed"),
        (0.80, 0.80, 0.40, "ok"),
    ],
)
def test_the_first_byte(head: float, first: float, way: float, verdict: str) -> None:
    assert site.early(heard(1, head=head, first=first), way).verdict == verdict


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "ok"),
        ({"x-accel-buffering": "no"}, "ok"),
        ({"content-type": "text/html"}, "failed"),
        ({"cache-control": "max-age=60"}, "failed"),
        ({"content-encoding": "gzip"}, "failed"),
        ({"x-accel-buffering": "yes"}, "failed"),
    ],
)
def test_headers(changed: dict[str, str], verdict: str) -> None:
    assert site.headers(heard(1, headers=STREAM | changed)).verdict == verdict


@pytest.mark.parametrize(("opened", "status", "verdict"), [(True, 101, "ok"), (False, 404, "failed")])
def test_a_websocket(opened: bool, status: int, verdict: str) -> None:
    assert site.websocket(status, opened).verdict == verdict


@pytest.mark.parametrize(("status", "verdict"), [(403, "ok"), (400, "failed"), (200, "failed")])
def test_another_site_s_page(status: int, verdict: str) -> None:
    assert site.elsewhere(status).verdict == verdict


# -- what answers


@pytest.mark.parametrize(
    ("status", "body", "verdict", "said"),
    [
        (200, {"status": "ok"}, "ok", "Runnel answers"),
        (200, {"status": "up"}, "failed", "not Runnel"),
        (200, [], "failed", "not Runnel"),
        (404, None, "failed", "not Runnel"),
        (401, None, "failed", "asks for a login"),
        (502, None, "failed", "Runnel behind it does not (502)"),
        (400, {"error": "No such host.", "kind": "bad_request"}, "failed", "“No such host.”"),
        (301, None, "failed", "sends on to https://chat.example.com."),
    ],
)
def test_who_answers(status: int, body: Any, verdict: str, said: str) -> None:
    headers = {"location": "https://chat.example.com/healthz"} if status == 301 else {}
    found = site.alive(httpx2.Response(status, json=body, headers=headers), "http://chat.example.com")
    assert (found.verdict, said in found.said) == (verdict, True), found


@pytest.mark.parametrize(
    ("status", "verdict", "next"),
    [
        (401, "failed", "CHAT_TOKEN"),
        (403, "failed", "Host $http_host"),
        (429, "warning", "Wait"),
        (400, "warning", "demo:fast"),
    ],
)
def test_a_question_that_is_refused(status: int, verdict: str, next: str) -> None:
    found = site.refused(Heard(status, {}, 0.1, error="Because."))
    assert (found.verdict, next in found.next) == (verdict, True)
    assert "Because." in found.said


@pytest.mark.parametrize(
    ("given", "url", "verdict"),
    [
        ("a=b; Path=/; HttpOnly; Secure; SameSite=Lax", "https://chat.example.com", "ok"),
        ("a=b; Path=/; HttpOnly; SameSite=Lax", "https://chat.example.com", "warning"),
        ("a=b; Path=/; HttpOnly; SameSite=Lax", "http://chat.example.com", None),
        ("", "https://chat.example.com", None),
    ],
)
def test_what_the_cookie_tells(given: str, url: str, verdict: str | None) -> None:
    found = site.cookie(httpx2.Response(200, headers={"set-cookie": given} if given else {}), url)
    assert (found.verdict if found else None) == verdict


@pytest.mark.parametrize(("days", "verdict"), [(60.5, "ok"), (3.2, "warning")])
def test_a_certificate(days: float, verdict: str) -> None:
    assert site.certificate(days).verdict == verdict


# -- what does not


async def test_nobody_there() -> None:
    found = await looked("http://127.0.0.1:9")
    assert found["address"].verdict == "failed"
    assert "No connection to 127.0.0.1" in found["address"].said


async def test_the_token_goes_by_no_open_line() -> None:
    """The look-up fails here; what is asked before it is the point."""
    found = await looked("http://chat.example.com", TOKEN)
    assert (found["https"].verdict, found["address"].verdict) == ("warning", "failed")
    assert "CHAT_TOKEN is not sent" in found["https"].next


def refused(code: int, message: str) -> httpx2.ConnectError:
    cause = ssl.SSLCertVerificationError(1, message)
    cause.verify_code, cause.verify_message = code, message
    error = httpx2.ConnectError("certificate verify failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said", "next"),
    [
        (refused(10, "certificate has expired"), "chat.example.com has expired", "certbot renew"),
        (refused(18, "self-signed"), "is signed by itself", "-d chat.example.com"),
        (refused(20, "no issuer"), "between it and its authority", "fullchain.pem"),
        (refused(62, "hostname"), "is for another name", "-d chat.example.com"),
        (refused(99, "something odd"), "is not believed (something odd)", "certbot"),
        (httpx2.ConnectTimeout(""), "does not answer within 10 s", "port"),
        (httpx2.ReadTimeout(""), "has said nothing for 30 s", "log"),
        (httpx2.ConnectError("refused"), "No connection to chat.example.com (refused)", "running"),
        (httpx2.RemoteProtocolError("gone"), "broke off (gone)", "log"),
    ],
)
def test_a_fault_in_words(error: Exception, said: str, next: str) -> None:
    found = probe.in_words(error, "https://chat.example.com/x")
    assert (said in found[0], next in found[1]) == (True, True), found


async def test_how_long_a_certificate_is_good() -> None:
    class Tls:
        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Nov 30 12:00:00 2026 GMT"}

    class Stream:
        def get_extra_info(self, name: str) -> Tls:
            return Tls()

    answer = httpx2.Response(200, extensions={"network_stream": Stream()})
    now = ssl.cert_time_to_seconds("Nov 20 12:00:00 2026 GMT")
    assert probe.days_left(answer, now) == 10
    assert probe.days_left(httpx2.Response(200), time.time()) is None
