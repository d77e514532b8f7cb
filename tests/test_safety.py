"""Headers of every answer, and who may not be let near an owner's key."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from chat.api.safety import SafetyHeaders
from chat.build import whose_keys
from chat.errors import Config
from chat.settings import Settings


async def headers(*, framed: bool = False) -> dict[bytes, bytes]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"Referrer-Policy", b"unsafe-url")]}
        )
        await send({"type": "http.response.body", "body": b""})

    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await SafetyHeaders(app, framed=framed)({"type": "http"}, None, send)
    assert len({name.lower() for name, _ in sent[0]["headers"]}) == len(sent[0]["headers"])
    return dict(sent[0]["headers"])


async def test_the_policy() -> None:
    found = await headers()
    policy = dict(part.split(" ", 1) for part in found[b"content-security-policy"].decode().split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert "http" not in policy["connect-src"]
    assert policy["frame-ancestors"] == "'self'"
    assert found[b"x-content-type-options"] == b"nosniff"
    assert found[b"referrer-policy"] == b"no-referrer"


async def test_a_space_is_framed_by_its_host() -> None:
    assert b"https://huggingface.co" in (await headers(framed=True))[b"content-security-policy"]


KEY = {"OPENAI_API_KEY": "sk-1"}
LIMITS = {"CHAT_MESSAGES_EACH": "9", "CHAT_MESSAGES": "99", "CHAT_MAX_TOKENS": "999"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        KEY,
        {**KEY, "GRADIO_SERVER_NAME": "localhost"},
        {"GRADIO_SERVER_NAME": "0.0.0.0"},
        {"SPACE_ID": "me/chat"},
        {**KEY, **LIMITS, "SPACE_ID": "me/chat", "CHAT_PUBLIC": "1"},
        {**KEY, "GRADIO_SERVER_NAME": "0.0.0.0", "CHAT_USERS": "ann:long-enough"},
        {"UNRELATED_API_KEY": "x", "GRADIO_SERVER_NAME": "0.0.0.0"},
    ],
)
def test_nothing_is_said_of_keys_that_everybody_may_spend(environ: dict[str, str]) -> None:
    assert whose_keys(Settings.read(environ)) == ""


@pytest.mark.parametrize(
    ("environ", "variable", "wanted"),
    [
        ({**KEY, "GRADIO_SERVER_NAME": "0.0.0.0"}, "OPENAI_API_KEY", "CHAT_PUBLIC=1"),
        ({**KEY, "GRADIO_SERVER_NAME": "192.168.1.7"}, "OPENAI_API_KEY", "CHAT_MESSAGES_EACH"),
        ({**KEY, "SPACE_ID": "me/chat", "CHAT_PUBLIC": "1"}, "OPENAI_API_KEY", "CHAT_MAX_TOKENS"),
        ({"GROQ_API_KEY": "x", "SPACE_ID": "me/chat"}, "GROQ_API_KEY", "CHAT_PUBLIC=1"),
        (
            {
                "MY_HOST_API_KEY": "x",
                "CHAT_ENDPOINTS": "my-host=https://h/v1",
                "GRADIO_SERVER_NAME": "0.0.0.0",
            },
            "MY_HOST_API_KEY",
            "CHAT_USERS",
        ),
    ],
)
def test_keys_for_the_owner_alone_are_named_with_what_would_share_them(
    environ: dict[str, str], variable: str, wanted: str
) -> None:
    said = whose_keys(Settings.read(environ))
    assert said.startswith(f"{variable}: for you alone")
    assert wanted in said
    assert ("CHAT_PUBLIC=1" in said) is ("CHAT_PUBLIC" not in environ)


def test_a_server_of_ones_own_gets_no_vendors_key() -> None:
    with pytest.raises(Config, match="groq"):
        whose_keys(Settings.read({"CHAT_ENDPOINTS": "groq=http://elsewhere/v1"}))
