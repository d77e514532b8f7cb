"""The doctor opens the app and fetches the vendors' lists: given these answers, those verdicts."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from chat.cli.doctor import timing, vendors
from chat.cli.doctor.outcome import Outcome
from chat.settings import Settings

Answer = Callable[[httpx2.Request], httpx2.Response]
KEY = "sk-sentinel-0123456789"


def lists(*ids: str) -> Answer:
    return lambda request: httpx2.Response(200, json={"object": "list", "data": [{"id": id} for id in ids]})


def refuses(request: httpx2.Request) -> httpx2.Response:
    said = f"Incorrect API key provided: {KEY}"
    return httpx2.Response(401, json={"error": {"message": said, "code": "invalid_api_key"}})


def silent(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("refused")


async def looked(answer: Answer = silent, **settings: str) -> dict[str, Outcome]:
    found = Settings.read({"CHAT_LOCAL": "0", **settings})
    transport = httpx2.MockTransport(answer)
    return {outcome.name: outcome async for outcome in vendors.opened(found, transport)}


async def test_without_a_key_the_demo_answers_in_time() -> None:
    found = await looked()
    assert {outcome.verdict for outcome in found.values()} == {"ok"}
    assert list(found) == ["store", "room", "disk", "secret", "vendors", "local", "model", "first word"]
    assert found["model"].said.startswith("demo:tour")
    assert 0 <= found["first word"].figures["median_ms"] < 300


async def test_a_key_that_is_accepted() -> None:
    found = await looked(lists("gpt-4o-mini", "gpt-9"), OPENAI_API_KEY=KEY)
    assert (found["openai"].verdict, found["openai"].said) == ("ok", "2 models, and the key is accepted")
    assert found["model"].said.startswith("openai:gpt-4o-mini")


async def test_a_key_that_is_not() -> None:
    found = await looked(refuses, OPENAI_API_KEY=KEY)
    assert found["openai"].verdict == "failed"
    assert "OPENAI_API_KEY" in found["openai"].said
    assert KEY not in json.dumps([outcome.said + outcome.next for outcome in found.values()])


async def test_a_vendor_that_cannot_be_reached() -> None:
    found = await looked(silent, OPENAI_API_KEY=KEY)
    assert found["openai"].verdict == "failed"


async def test_a_list_that_everybody_may_read_says_nothing_of_a_key() -> None:
    found = await looked(lists("some/model"), OPENROUTER_API_KEY=KEY)
    assert found["openrouter"].verdict == "ok"
    assert "accepted" not in found["openrouter"].said.partition(":")[0]


async def test_a_key_that_no_header_can_hold() -> None:
    found = await looked(OPENAI_API_KEY="sk sentinel")
    assert [outcome.verdict for outcome in found.values()] == ["failed"]
    assert "OPENAI_API_KEY" in found["start"].said


@pytest.mark.parametrize(
    ("settings", "verdict", "said"),
    [
        ({"CHAT_MODEL": "openai:gpt-9"}, "ok", "openai:gpt-9"),
        ({"CHAT_MODEL": "openai:gpt-10"}, "warning", "openai:gpt-10"),
        ({"CHAT_MODELS": "openai:gpt-9, demo:tour"}, "ok", "openai:gpt-9"),
        ({"CHAT_MODELS": "openai:gpt-9, demo:turn"}, "warning", "demo:turn"),
        ({"CHAT_MODEL": "anthropic:claude-sonnet-4-5"}, "failed", "ANTHROPIC_API_KEY"),
        ({"CHAT_MODEL": "demo:fast", "CHAT_MODELS": "openai:gpt-9"}, "failed", "demo:fast"),
    ],
)
async def test_the_model_at_first(settings: dict[str, str], verdict: str, said: str) -> None:
    found = await looked(lists("gpt-9"), OPENAI_API_KEY=KEY, **settings)
    assert (found["model"].verdict, said in found["model"].said) == (verdict, True), found["model"]


async def test_servers_on_this_machine() -> None:
    def ollama(request: httpx2.Request) -> httpx2.Response:
        return lists("llama")(request) if request.url.port == 11434 else silent(request)

    assert "Ollama (1)" in (await looked(ollama, CHAT_LOCAL="1"))["local"].said
    assert "answers here" in (await looked(CHAT_LOCAL="1"))["local"].said
    assert "CHAT_LOCAL=0" in (await looked())["local"].said


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        ([0.01] * 10, "ok"),
        ([0.01] * 9 + [0.4], "warning"),
        ([0.01] * 4 + [0.4] * 6, "failed"),
        ([0.01] * 9 + [None], "failed"),
    ],
)
def test_the_first_word(times: list[Any], verdict: str) -> None:
    found = timing.judged(times)
    assert found.verdict == verdict
    if None not in times:
        assert found.figures["min_ms"] == 10
        assert found.figures["p95_ms"] == round(max(times) * 1000)
