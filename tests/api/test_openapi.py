"""The OpenAPI document: it says what the routes do, and nothing in it comes from elsewhere."""

import json
from typing import Any

import pytest

from chat.api.bodies import Ask
from chat.api.completion_bodies import Completion
from tests.api.served import served

STREAMED = {
    ("post", "/chat/stream"),
    ("post", "/chat/stream/{provider}"),
    ("post", "/api/message"),
    ("post", "/stream-chat"),
    ("get", "/chat"),
    ("get", "/runs/{id}/events"),
    ("post", "/v1/chat/completions"),
}
OTHERS = {("post", "/runs/{id}/stop"), ("get", "/v1/models"), ("get", "/healthz"), ("get", "/readyz")}


@pytest.fixture
async def document() -> dict[str, Any]:
    async with served(environ={"CHAT_TITLE": "Acme chat"}) as site:
        answer = await site.client.get("/openapi.json")
        assert (await site.client.get("/docs")).status_code == 404
        return answer.json()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (method, path): each for path, found in document["paths"].items() for method, each in found.items()
    }


def test_every_route_is_described(document: dict[str, Any]) -> None:
    assert document["info"]["title"] == "Acme chat"
    assert set(operations(document)) == STREAMED | OTHERS
    for operation in operations(document).values():
        assert operation["description"]
    for key in STREAMED:
        assert "text/event-stream" in operations(document)[key]["responses"]["200"]["content"]


def test_refusals_have_the_shape_that_they_have(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        if "422" in operation["responses"] and not path.startswith("/v1"):
            schema = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert set(schema.get("properties", ())) == {"error", "kind"}, (method, path)


def test_the_examples_can_be_sent(document: dict[str, Any]) -> None:
    for name, model in (("Ask", Ask), ("Completion", Completion)):
        for example in document["components"]["schemas"][name]["examples"]:
            model.model_validate(example)


def test_nothing_is_loaded_from_elsewhere(document: dict[str, Any]) -> None:
    assert "http" not in json.dumps(document)
