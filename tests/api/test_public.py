"""Given any failure behind a public app, a visitor reads no address, host, port, path or setting."""

import ast
import json
import re
import socket
import ssl
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chat import errors
from chat.errors import Fault
from chat.events import Notice, RequestSent, Retrying, to_dict
from chat.messages import Options, Turn
from chat.owners import LOCAL
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.vendors import Vendor
from chat.public import Public
from tests.api.served import served
from tests.api.ws_client import connected
from tests.scripted import Scripted, engine
from tests.test_imports import MODULES

INSIDE = "http://10.1.2.3:7960/v1"
VENDOR = Vendor("acme", "Acme", ("openai_chat",), INSIDE, "ACME_API_KEY", "ACME_BASE_URL", local=True)
CALL = Call(VENDOR, "k" * 16, frozenset(("model", "messages", "tools")), "one", system=True)
PUBLIC = {"CHAT_PUBLIC": "1", "CHAT_ENDPOINTS": f"box={INSIDE}"}
WORDS = (
    "dial tcp 10.1.2.3:7960: refused; see http://gpu-01.lan:8000/v1?x=1 or [fd00::7]:81 or gpu-01.lan, "
    "localhost:11434 (fe80:0:0:0:1:2:3:4), file /srv/models/pump.gguf, ~/keys/a.txt, C:\\models\\b.gguf, "
    "set ACME_API_KEY or CHAT_HOSTS in .env"
)
SECRETS = re.compile(
    r"10\.1\.2\.3|7960|gpu-01|8000|fd00|fe80|11434|localhost|/srv|pump\.gguf|a\.txt|b\.gguf|(?:ACME|CHAT)_[A-Z]+|\.env\b"
)


def causes() -> list[Fault]:
    """One of each way in which a vendor's answer or the network fails."""
    statuses = (307, 400, 401, 402, 403, 404, 405, 407, 413, 418, 422, 429, 500, 502, 503, 511, 529)
    found = [
        faults.answered(status, {}, json.dumps({"error": {"message": WORDS}}), call)
        for status in statuses
        for call in (CALL, replace(CALL, key=""), replace(CALL, vendor=replace(VENDOR, key="")))
    ]
    for cause in (
        socket.gaierror(WORDS),
        ConnectionRefusedError(WORDS),
        ssl.SSLError(WORDS),
        httpx2.ConnectTimeout(WORDS),
        httpx2.ProxyError("refused"),
        httpx2.UnsupportedProtocol(WORDS),
        httpx2.LocalProtocolError(WORDS),
        httpx2.DecodingError(WORDS),
        httpx2.ReadError(WORDS),
        UnicodeEncodeError("ascii", "ü", 0, 1, "x"),
    ):
        failed = httpx2.ConnectError("x")
        failed.__cause__ = cause
        fault = faults.of(failed if isinstance(cause, OSError) else cause, CALL)
        assert fault is not None
        found.append(fault)
    kinds = [each for each in everything(Fault) if each not in (errors.Refused, errors.TooLong)]
    return [*found, *(each(WORDS, hint=WORDS) for each in kinds)]


def everything(kind: type[Fault]) -> list[type[Fault]]:
    return [kind, *(finer for each in kind.__subclasses__() for finer in everything(each))]


def told(fault: Fault) -> list[Any]:
    asked = RequestSent(f"{INSIDE}/chat/completions", {})
    return [asked, Notice("x", WORDS), Retrying(2, 0, "server", WORDS), fault]


@pytest.mark.parametrize("fault", causes(), ids=lambda fault: type(fault).__name__)
async def test_no_event_tells_a_visitor_where_anything_is(fault: Fault) -> None:
    script = told(Fault("x") if fault.kind == "bug" else fault)
    vendor = Scripted([script] * 9, VENDOR)
    asked = engine(vendor, public=True)
    shown = [json.dumps(to_dict(e)) async for e in asked.answer(Turn("?", Options("acme:one"), owner="ann"))]
    assert json.loads(shown[-1])["type"] == "turn_failed"
    for each in shown:
        # The digits of a random wait may be anybody's port.
        assert not SECRETS.search(re.sub(r'"delay": [0-9.]+', "", each)), each


async def test_the_operator_reads_it() -> None:
    fault = faults.answered(404, {}, json.dumps({"error": {"message": WORDS}}), CALL)
    for owner, public in ((LOCAL, True), ("ann", False)):
        asked = engine(Scripted([[fault]], VENDOR), public=public)
        events = [e async for e in asked.answer(Turn("?", Options("acme:one"), owner=owner))]
        said = json.dumps(to_dict(events[-1]))
        assert "10.1.2.3:7960" in said
        assert "ACME_BASE_URL" in said


STREAMS = (
    ("POST", "/chat/stream"),
    ("POST", "/api/message"),
    ("POST", "/stream-chat"),
    ("GET", "/chat?message=Hello"),
)


async def test_no_format_tells_it() -> None:
    fault = faults.answered(404, {}, json.dumps({"error": {"message": WORDS}}), CALL)
    scripts = [told(fault)] * 9
    async with served(*scripts, environ=PUBLIC) as site:
        said: list[str] = []
        for method, path in STREAMS:
            body = None if method == "GET" else {"message": "Hello?"}
            answer = await site.client.request(method, path, json=body, headers=site.cookie())
            said += [answer.text, str(answer.headers)]
        answer = await site.post("/chat/stream", {"message": "Hello?", "stream": False})
        said.append(answer.text)
        async with connected(site.url, site.cookie()) as client:
            await client.send({"message": "Hello?"})
            async for message in client:
                said.append(json.dumps(message))
                if message.get("type") == "opened":
                    events = await site.get(f"/runs/{message['run']}/events")
                    said.append(events.text)
        for chat_kept in await site.app.store.chats("me"):
            opened = await site.get(f"/chats/{chat_kept.id}/export.json")
            said.append(opened.text)
    everything_said = "\n".join(said)
    assert everything_said.count("knows no such address") >= len(STREAMS)
    here = re.sub(r"http://127\.0\.0\.1:\d+", "", everything_said)
    assert not SECRETS.search(here), SECRETS.search(here)


@pytest.mark.parametrize(
    "text",
    [
        "Too many requests to Acme. It asks to wait 36 s.",
        "one:8b does not accept stream_options.include_usage: sent without it.",
        "The model `maker/one-4.1-mini` does not exist at 10:30, and/or 3:20 of 5/6; MALFORMED_FUNCTION_CALL",
        "llama.cpp has a fault of its own. Ask again in a moment. i.e. 1.2.3, v4.5",
        "RESOURCE_EXHAUSTED: 1,024 > 512 tokens (2026-11-30T12:00:00Z)",
        "",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert Public().text(text) == text


SETTING = re.compile(r"\b(CHAT|HTTPS?|NO|SSL|GRADIO)_[A-Z_]+\b|_(API_KEY|BASE_URL)\b|\.env\b")
AT_THE_START = ("chat.settings", "chat.store", "chat.build", "chat.logins", "chat.server", "chat.cli")
"""What is told to whoever starts the program, on the terminal."""


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("chat.")])
def test_a_message_names_no_setting(name: str) -> None:
    """The first argument of every fault; the hint is the place for them."""
    if name.startswith(AT_THE_START):
        return
    kinds = {kind.__name__ for kind in everything(Fault)}
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = ast.unparse(node.args[0]) if called in {*kinds, "ToolError", "Refusal"} else ""
            assert not SETTING.search(said), f"{name}: {said}"


async def test_a_disk_in_trouble_does_not_say_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(environ=PUBLIC) as site:
        trouble = "/srv/runnel/data/chat.db is a folder. CHAT_DATABASE names a file in one. Trying again."
        monkeypatch.setattr(type(site.app.store), "trouble", property(lambda _: trouble))
        answer = await site.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"] == "[path] is a folder. [setting] names a file in one. Trying again."
