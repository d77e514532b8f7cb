"""Given what a server on this machine tells of its loaded models, this much fits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chat.providers.clients import Clients
from chat.providers.loaded import address, contexts
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import VENDORS, Vendor

OLLAMA = next(vendor for vendor in VENDORS if vendor.name == "ollama")
LMSTUDIO = next(vendor for vendor in VENDORS if vendor.name == "lmstudio")
PS = {"models": [{"name": "gemma3:4b", "model": "gemma3:4b", "size": 6591830464, "context_length": 4096}]}
INSTANCES = {
    "models": [
        {
            "type": "llm",
            "key": "acme/small",
            "max_context_length": 131_072,
            "loaded_instances": [{"id": "acme/small", "config": {"context_length": 8192}}],
        },
        {"type": "llm", "key": "acme/large", "max_context_length": 131_072, "loaded_instances": []},
    ]
}


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (PS, {"gemma3:4b": 4096}),
        (INSTANCES, {"acme/small": 8192}),
        ({"models": []}, {}),
        ({"models": None}, {}),
        ({"models": [None, {"name": 7, "context_length": 1}, {"name": "a", "context_length": True}]}, {}),
        ({"models": [{"key": "a", "loaded_instances": [None, {"config": 1}]}]}, {}),
        ({"error": "no"}, {}),
        ([], {}),
        ("", {}),
    ],
)
def test_what_fits_a_loaded_model(page: Any, found: dict[str, int]) -> None:
    assert contexts(page) == found


def test_only_servers_on_this_machine_are_asked() -> None:
    assert address(OLLAMA) == "http://127.0.0.1:11434/api/ps"
    assert address(LMSTUDIO) == "http://127.0.0.1:1234/api/v1/models"
    assert {vendor.name for vendor in VENDORS if address(vendor)} == {"ollama", "lmstudio"}
    assert address(replace(OLLAMA, local=False)) == ""


@asynccontextmanager
async def serving(vendor: Vendor, answers: dict[str, Any]) -> AsyncIterator[OpenAIChat]:
    """`vendor`, whose server knows these paths: JSON, a text, or an exception to raise."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        found = answers.get(request.url.path)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, str):
            return httpx2.Response(200, text=found)
        return httpx2.Response(404 if found is None else 200, json=found)

    clients = Clients(transport=httpx2.MockTransport(answer))
    yield OpenAIChat(vendor, "", clients)
    await clients.aclose()


@pytest.mark.parametrize(
    ("vendor", "id", "path", "page", "context"),
    [
        (OLLAMA, "gemma3:4b", "/api/ps", PS, 4096),
        (OLLAMA, "other:7b", "/api/ps", PS, None),
        (LMSTUDIO, "acme/small", "/api/v1/models", INSTANCES, 8192),
        (LMSTUDIO, "acme/large", "/api/v1/models", INSTANCES, None),
        (OLLAMA, "gemma3:4b", "/api/other", PS, None),
        (OLLAMA, "gemma3:4b", "/api/ps", "<html>", None),
        (OLLAMA, "gemma3:4b", "/api/ps", httpx2.ReadError("gone"), None),
    ],
)
async def test_the_list_tells_what_fits_a_loaded_model(
    vendor: Vendor, id: str, path: str, page: Any, context: int | None
) -> None:
    models = {"data": [{"id": id, "object": "model"}]}
    async with serving(vendor, {"/v1/models": models, path: page}) as provider:
        (model,) = await provider.models()
    assert (model.id, model.context) == (id, context)
