"""Every recorded body of Chat Completions gives what its index says, or the difference has a reason here."""

import pytest

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
