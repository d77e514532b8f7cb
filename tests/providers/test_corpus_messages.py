"""Every recorded body of Messages gives what its index says; a difference is listed with its reason."""

import pytest

from chat.providers.anthropic_messages import AnthropicMessages
from tests.providers import corpus

DIFFERENT: dict[str, dict[str, str]] = {}
"""File → field → why ours differs."""

pytestmark = pytest.mark.skipif(corpus.FOLDER is None, reason="WIRE_CORPUS is not set")


@pytest.mark.parametrize("file", corpus.index("messages"))
async def test_body(file: str) -> None:
    entry = corpus.index("messages")[file]
    vendor = corpus.vendor_of(entry, "anthropic_messages")
    whole = await corpus.replay(AnthropicMessages, vendor, corpus.wire(file))
    cut = await corpus.replay(AnthropicMessages, vendor, corpus.wire(file), seed=file)
    assert cut == whole
    found = corpus.differences(whole, corpus.expected(entry))
    assert found.keys() == DIFFERENT.get(file, {}).keys(), found


def test_all_are_there() -> None:
    assert len(corpus.index("messages")) == 90
    assert DIFFERENT.keys() <= corpus.index("messages").keys()
