"""The OpenAPI document: it says what the routes do, and nothing in it comes from elsewhere."""

import json
import re
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
OTHERS = {
    ("post", "/runs/{id}/stop"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{model}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
}


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
    assert "http:" not in json.dumps(document)
    assert "https:" not in json.dumps(document)


def test_it_says_who_may_ask(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme.get("scheme", scheme.get("in")) for name, scheme in schemes.items()} == {
        "cookie": "cookie",
        "bearer": "bearer",
        "basic": "basic",
    }
    assert {name for way in document["security"] for name in way} == set(schemes)
    open_to_all = {key for key, each in operations(document).items() if each.get("security") == []}
    assert open_to_all == {("get", "/healthz"), ("get", "/readyz")}


def test_every_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for (method, path), operation in operations(document).items():
        if method == "post" and (body := operation.get("requestBody")):
            schema = json.dumps(body["content"]["application/json"]["schema"])
            assert any(name in schema and schemas[name].get("examples") for name in schemas), path
        if (method, path) in STREAMED:
            stream = operation["responses"]["200"]["content"]["text/event-stream"]
            assert re.match(r"(event|data): ", stream["example"])
            assert "Last-Event-ID" in [each["name"] for each in operation["parameters"]]


def test_the_socket_is_told_in_words(document: dict[str, Any]) -> None:
    assert "/chat/ws" in document["info"]["description"]


async def test_no_setting_but_the_title_is_in_it() -> None:
    environ = {
        "CHAT_TOKEN": "sentinel-token-000000",
        "CHAT_SYSTEM": "sentinel-system",
        "CHAT_USERS": "sentinel-user:sentinel-password-of-enough-letters",
        "OPENAI_API_KEY": "sk-sentinel-key",
        "CHAT_ENDPOINTS": "sentinel-vendor=https://sentinel.example/v1",
        "CHAT_MODELS": "acme:one, acme:sentinel",
        "CHAT_TITLE": "Acme chat",
    }
    async with served(environ=environ) as site:
        bearer = {"Authorization": f"Bearer {environ['CHAT_TOKEN']}"}
        told = (await site.client.get("/openapi.json", headers=bearer)).text
    assert "Acme chat" in told
    for word in ("sentinel", "acme:", "127.0.0.1"):
        assert word not in told
