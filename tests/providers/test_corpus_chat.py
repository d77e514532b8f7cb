"""Every recorded body of Chat Completions gives what its index says, or the difference has a reason here."""

import json

import httpx2
import pytest

from chat.providers.clients import Clients
from chat.providers.openai_chat import OpenAIChat
from tests.providers import corpus

DIFFERENT: dict[str, dict[str, str]] = {
    "chat.completions/groq/text+thinking--test-groq-model-web-search-tool-stream-dea1a964.sse": {
        "citations": "the index counts none; we name the pages that Groq's own search tool found",
    },
}
"""File → field → why ours differs."""

pytestmark = pytest.mark.skipif(corpus.FOLDER is None, reason="WIRE_CORPUS is not set")


@pytest.mark.parametrize("file", corpus.index("chat.completions"))
async def test_body(file: str) -> None:
    entry = corpus.index("chat.completions")[file]
    vendor = corpus.vendor_of(entry, "openai_chat")
    whole = await corpus.replay(OpenAIChat, vendor, corpus.wire(file))
    cut = await corpus.replay(OpenAIChat, vendor, corpus.wire(file), seed=file)
    assert cut == whole
    found = corpus.differences(whole, corpus.expected(entry))
    assert found.keys() == DIFFERENT.get(file, {}).keys(), found


def test_all_are_there() -> None:
    assert len(corpus.index("chat.completions")) == 216
    assert DIFFERENT.keys() <= corpus.index("chat.completions").keys()


async def test_model_lists() -> None:
    lists = corpus.lines("model_lists.jsonl")
    assert len(lists) == 5
    for entry in lists:
        answer = httpx2.Response(200, content=entry["body"].encode())
        clients = Clients(transport=httpx2.MockTransport(lambda _, answer=answer: answer))
        vendor = corpus.vendor_of(entry, "openai_chat")
        models = await OpenAIChat(vendor, "sk-corpus", clients).models()
        await clients.aclose()
        assert {model.id for model in models} == {model["id"] for model in json.loads(entry["body"])["data"]}
        if entry["vendor"] == "openrouter":
            assert all(model.context and model.title and model.tools is not None for model in models)
            assert {model.temperature for model in models} <= {True, False}
