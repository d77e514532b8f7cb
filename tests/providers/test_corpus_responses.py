"""Every recorded body of Responses gives what its index says; a difference is listed with its reason."""

import json
from typing import Any

import pytest

from chat.providers.openai_responses import OpenAIResponses
from tests.providers import corpus

DIFFERENT: dict[str, dict[str, str]] = {}
"""File → field → why ours differs."""

pytestmark = pytest.mark.skipif(corpus.FOLDER is None, reason="WIRE_CORPUS is not set")


@pytest.mark.parametrize("file", corpus.index("responses"))
async def test_body(file: str) -> None:
    entry = corpus.index("responses")[file]
    vendor = corpus.vendor_of(entry, "openai_responses")
    whole = await corpus.replay(OpenAIResponses, vendor, corpus.wire(file))
    cut = await corpus.replay(OpenAIResponses, vendor, corpus.wire(file), seed=file)
    assert cut == whole
    found = corpus.differences(whole, corpus.expected(entry))
    assert found.keys() == DIFFERENT.get(file, {}).keys(), found


IN_ONE_PIECE_DIFFERENT: dict[str, dict[str, str]] = {
    "responses/openai/text+shell-call+shell-call-output--openai-shell-container-1-chunks-e8295026.sse": {
        "text": "the recording was shortened: its deltas hold one sentence, its final object three"
    },
}
"""The same for the response object at a body's end, read as an answer that was not streamed."""


@pytest.mark.parametrize("file", corpus.index("responses"))
async def test_its_final_object_in_one_piece(file: str) -> None:
    entry = corpus.index("responses")[file]
    final = _final(corpus.wire(file))
    if not final.get("output") and not final.get("error"):
        return  # nothing of the answer is repeated at its end
    vendor = corpus.vendor_of(entry, "openai_responses")
    body = json.dumps(final).encode()
    got = await corpus.replay(OpenAIResponses, vendor, body, content_type="application/json")
    found = corpus.differences(got, corpus.expected(entry))
    assert found.keys() == IN_ONE_PIECE_DIFFERENT.get(file, {}).keys(), found


def _final(body: bytes) -> dict[str, Any]:
    *_, final = (
        json.loads(line.removeprefix("data:"))["response"]
        for line in body.decode().splitlines()
        if line.startswith("data:") and '"response"' in line and '"response.' in line
    )
    return final


def test_all_are_there() -> None:
    assert len(corpus.index("responses")) == 115
    assert DIFFERENT.keys() | IN_ONE_PIECE_DIFFERENT.keys() <= corpus.index("responses").keys()
