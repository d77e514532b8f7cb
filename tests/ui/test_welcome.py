"""Given these settings, the empty page says this."""

import pytest

from chat.build import open_app
from chat.providers.vendors import VENDORS
from chat.settings import Settings
from chat.ui import welcome


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "deleted, or it was begun in another browser."),
        ({"CHAT_USERS": "ada:correct horse"}, "deleted, or it is somebody else’s."),
        ({"CHAT_LOGIN_HEADER": "x-user", "CHAT_PROXIES": "10.0.0.1"}, "deleted, or it is somebody else’s."),
    ],
)
async def test_a_chat_that_is_not_there(environ: dict[str, str], why: str) -> None:
    settings = Settings.read({"CHAT_DATABASE": ":memory:", "CHAT_LOCAL": "0", **environ})
    async with open_app(settings) as app:
        assert why in welcome.text(app, "", nowhere="gone")
        assert "no such chat" not in welcome.text(app, "")


@pytest.mark.parametrize(
    ("environ", "said"),
    [({}, True), ({"CHAT_LOCAL": "0"}, False), ({"CHAT_USERS": "ada:correct horse"}, False)],
)
async def test_how_to_start_a_model_here(
    environ: dict[str, str], said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.build.VENDORS", tuple(each for each in VENDORS if not each.local))
    settings = Settings.read({"CHAT_DATABASE": ":memory:", **environ})
    async with open_app(settings) as app:
        assert ("Ollama, LM Studio, llama.cpp or vLLM" in welcome.text(app, "")) is said
