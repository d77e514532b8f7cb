"""Given what OpenAI's clients send, what they expect: by their own Python client, and byte by byte."""

import asyncio
import json
from typing import Any, get_args

import httpx2
import openai
import pytest

from chat.api.chunks import STATUS
from chat.errors import (
    Auth,
    BadRequest,
    CutOff,
    Empty,
    Kind,
    NotFound,
    Overloaded,
    RateLimited,
    Stalled,
    TooLong,
    Unreachable,
)
from chat.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted, Usage
from chat.messages import Assistant, Text, User
from tests.api import sse_reader
from tests.api.served import Served, served
from tests.scripted import HANG, says

PATH = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "acme:one", "messages": [{"role": "user", "content": "Hello?"}]}
STREAM = ASK | {"stream": True}
WRITES = (
    ThinkingDelta("Hm."),
    TextDelta("Hel"),
    TextDelta("lo 日本\n語"),
    ReplyFinished("end", Usage(7, 5, 2, 1)),
)


def client(site: Served, key: str = "any", **more: Any) -> Any:
    return openai.AsyncOpenAI(
        api_key=key, base_url=f"{site.url}/v1", max_retries=0, http_client=httpx2.AsyncClient(), **more
    )


# -- by the official client ----------------------------------------------------------------------


async def test_the_official_client_streams() -> None:
    async with served(WRITES) as site, client(site) as ours:
        stream = await ours.chat.completions.create(**STREAM, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == "Hello 日本\n語"
    assert [d.reasoning_content for d in deltas if hasattr(d, "reasoning_content")] == ["Hm."]
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "stop"]
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 5, 12)
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.model for chunk in chunks} == {"acme:one"}


async def test_each_chunk_comes_when_it_was_said() -> None:
    gate = asyncio.Event()
    async with (
        served([TextDelta("a"), gate, TextDelta("b"), ReplyFinished("end")]) as site,
        client(site) as ours,
    ):
        stream = await ours.chat.completions.create(**STREAM)
        seen = ""
        async for chunk in stream:
            seen += chunk.choices[0].delta.content or ""
            if seen == "a":
                gate.set()
        assert seen == "ab"


async def test_the_official_client_bears_a_silence() -> None:
    gate = asyncio.Event()
    script = [TextDelta("a"), gate, TextDelta("b"), ReplyFinished("end")]
    async with served(script, script, heartbeat=0.01) as site, client(site) as ours:
        async with site.client.stream("POST", PATH, json=STREAM) as answer:
            beats = 0
            async for line in answer.aiter_lines():
                beats += line == ": heartbeat"
                if beats == 3:
                    break
        stream = await ours.chat.completions.create(**STREAM)
        asyncio.get_running_loop().call_later(0.1, gate.set)
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "ab"


async def test_the_official_client_without_a_stream() -> None:
    async with served(WRITES) as site, client(site) as ours:
        answer = await ours.chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "Hello 日本\n語"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    assert answer.object == "chat.completion"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Auth("Acme does not accept the key."), openai.AuthenticationError),
        (NotFound("Acme has no such model."), openai.NotFoundError),
        (BadRequest("Acme did not understand."), openai.BadRequestError),
        (TooLong("That is too long for one."), openai.BadRequestError),
        (Unreachable("Acme cannot be reached."), openai.InternalServerError),
        (Stalled("Acme said nothing for a minute."), openai.InternalServerError),
        (Empty("Acme said nothing."), openai.InternalServerError),
        (RateLimited("Too many.", retry_after=30), openai.RateLimitError),
        (Overloaded("Acme is busy.", retry_after=30), openai.InternalServerError),
        (CutOff("It was cut off."), openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_a_failure_before_the_first_word_is_a_status(
    fault: Exception, error: type[openai.APIStatusError], body: dict[str, Any]
) -> None:
    async with served(*[[fault]] * 3) as site, client(site) as ours:
        with pytest.raises(error) as caught:
            await ours.chat.completions.create(**body)
    assert str(fault) in str(caught.value)
    code = "model_not_found" if isinstance(fault, NotFound) else getattr(fault, "kind", None)
    assert caught.value.code == code
    if getattr(fault, "retry_after", None):
        assert caught.value.response.headers["retry-after"] == "30"


async def test_a_failure_later_is_an_error_in_the_stream() -> None:
    async with served([TextDelta("Hel"), CutOff("It was cut off.")]) as site, client(site) as ours:
        stream = await ours.chat.completions.create(**STREAM)
        assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["", "Hel"]
        with pytest.raises(openai.APIError, match="It was cut off"):
            await anext(stream)


async def test_and_without_a_stream_a_status() -> None:
    async with served([TextDelta("Hel"), CutOff("It was cut off.")]) as site, client(site) as ours:
        with pytest.raises(openai.InternalServerError, match="It was cut off"):
            await ours.chat.completions.create(**ASK)


async def test_the_key_of_the_client_is_our_token() -> None:
    token = "a-token-of-24-characters"
    async with served(says("x"), environ={"CHAT_TOKEN": token}) as site:
        async with client(site, "sk-other") as ours:
            with pytest.raises(openai.AuthenticationError, match="token"):
                await ours.chat.completions.create(**ASK)
            with pytest.raises(openai.AuthenticationError):
                await ours.models.list()
        async with client(site, token) as ours:
            assert (await ours.chat.completions.create(**ASK)).choices[0].message.content == "x"


async def test_the_models_of_the_menu() -> None:
    async with served(environ={"CHAT_MODELS": "acme:one, acme:b/two"}) as site, client(site) as ours:
        assert [(model.id, model.owned_by) async for model in ours.models.list()] == [
            ("acme:one", "acme"),
            ("acme:b/two", "acme"),
        ]
        assert (await ours.models.retrieve("acme:b/two")).id == "acme:b/two"
        with pytest.raises(openai.NotFoundError, match="no model “acme:six”"):
            await ours.models.retrieve("acme:six")
        with pytest.raises(openai.NotFoundError, match="GET /v1/models"):
            await ours.models.retrieve("acme:\nsix")


async def test_what_openai_has_and_runnel_has_not() -> None:
    async with served() as site, client(site) as ours:
        for asked in (
            ours.responses.create(model="acme:one", input="Hello?"),
            ours.embeddings.create(model="acme:one", input="Hello?"),
        ):
            with pytest.raises(openai.NotFoundError, match="POST /v1/chat/completions"):
                await asked


async def test_another_site_s_page_is_told_in_openai_s_shape() -> None:
    async with served(says("x")) as site, client(site) as ours:
        with pytest.raises(openai.PermissionDeniedError, match="another site"):
            await ours.chat.completions.create(**ASK, extra_headers={"Sec-Fetch-Site": "cross-site"})
        assert site.vendor.asked == []


async def test_the_official_client_is_told_what_it_cannot_have() -> None:
    async with served() as site, client(site) as ours:
        tool: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
        with pytest.raises(openai.UnprocessableEntityError, match="runs its own tools"):
            await ours.chat.completions.create(**STREAM, tools=[tool])


@pytest.mark.parametrize("when_left", ["finish", "stop", "60"])
@pytest.mark.parametrize(("body", "begins"), [(STREAM, []), (ASK, []), (ASK, [TextDelta("a")])])
async def test_a_client_that_hangs_up_stops_its_answer(
    body: dict[str, Any], begins: list[Any], when_left: str
) -> None:
    """OpenAI's clients have no other way to stop one."""
    async with served([*begins, HANG], environ={"CHAT_WHEN_LEFT": when_left}) as site:
        async with client(site) as ours:
            asked = asyncio.create_task(ours.chat.completions.create(**body))
            await site.vendor.hanging.wait()
            asked.cancel()
        async with asyncio.timeout(2):
            while site.vendor.closed == 0:
                await asyncio.sleep(0.01)


async def test_a_client_that_closes_its_stream_stops_its_answer() -> None:
    async with served([TextDelta("a"), HANG]) as site, client(site) as ours:
        async with await ours.chat.completions.create(**STREAM) as stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
        async with asyncio.timeout(2):
            while site.vendor.closed == 0:
                await asyncio.sleep(0.01)


async def test_an_answer_that_another_reader_follows_goes_on() -> None:
    async with served([TextDelta("a"), HANG]) as site, client(site) as ours:
        raw = await ours.chat.completions.with_raw_response.create(**STREAM)
        run = site.app.runs.get(raw.headers["run-id"])
        assert run is not None
        with run.reading():
            await raw.http_response.aclose()
            async with asyncio.timeout(2):
                while run.readers > 1:
                    await asyncio.sleep(0.01)
            assert site.vendor.closed == 0
        async with asyncio.timeout(2):
            await run.finished()


@pytest.mark.parametrize("name", ["gpt-9", "nobody:x", "acme", "openai:gpt-9", "demo:"])
@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_an_unknown_model_is_not_found(body: dict[str, Any], name: str) -> None:
    async with served(says("x")) as site, client(site) as ours:
        with pytest.raises(openai.NotFoundError) as caught:
            await ours.chat.completions.create(**{**body, "model": name})
        assert caught.value.code == "model_not_found"
        assert site.vendor.asked == []
        with pytest.raises(openai.NotFoundError) as caught:
            await ours.models.retrieve(name)
        assert caught.value.code == "model_not_found"


async def test_a_base_address_without_v1_says_so() -> None:
    async with served(says("x")) as site:
        ours = openai.AsyncOpenAI(
            api_key="any", base_url=site.url, max_retries=0, http_client=httpx2.AsyncClient()
        )
        async with ours:
            for call in (
                ours.chat.completions.create(**ASK),
                ours.responses.create(model="acme:one", input="Hello?"),
                ours.embeddings.create(model="acme:one", input="Hello?"),
                ours.models.retrieve("acme:one"),
            ):
                with pytest.raises(openai.NotFoundError, match="Add /v1"):
                    await call
        for path in ("/v1/v1/chat/completions", "/v1/v1/models"):
            assert "twice" in (await site.client.get(path)).json()["error"]["message"]
        assert site.vendor.asked == []


# -- what is kept --------------------------------------------------------------------------------


async def test_a_programs_question_is_no_chat_unless_it_says_so() -> None:
    async with served(*[says("x")] * 4) as site:
        answer = await site.post(PATH, ASK)
        assert answer.status_code == 200
        assert "conversation-id" not in answer.headers
        events = await site.client.get(f"/runs/{answer.headers['run-id']}/events", headers=site.cookie("me"))
        assert events.status_code == 200, "it can be read as long as any other run"
        assert list(await site.app.store.chats("me")) == []
        await site.post(PATH, ASK | {"store": False})
        assert list(await site.app.store.chats("me")) == []
        kept = (await site.post(PATH, ASK | {"store": True})).headers["conversation-id"]
        assert [chat.id for chat in await site.app.store.chats("me")] == [kept]
        more = await site.post(PATH, ASK | {"conversation": kept})
        assert more.headers["conversation-id"] == kept
        conversation = await site.app.store.peek("me", kept)
        assert conversation is not None
        assert len(conversation.exchanges) == 2
        assert (await site.post(PATH, ASK | {"conversation": "nobody's"})).status_code == 404


# -- what reaches the model ----------------------------------------------------------------------


async def test_messages_and_parameters_reach_the_model() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "Yes.", "name": "x"},
        {"role": "developer", "content": "Be kind."},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "Three?"},
    ]
    more = {"temperature": 0, "max_completion_tokens": 9, "reasoning_effort": "low", "top_p": 0.5, "seed": 1}
    async with served(says("x")) as site:
        body = {"model": "acme:two", "messages": messages, "user": "u", "store": True}
        answer = await site.post(PATH, body | more)
        assert answer.status_code == 200
        request = site.vendor.asked[0]
        [chat] = await site.app.store.chats("me")
    assert chat.title == "Three?"
    assert request.system == "Be brief.\n\nBe kind."
    assert [m.text for m in request.messages if isinstance(m, User | Assistant)] == [
        "One\ntwo",
        "Yes.",
        "Three?",
    ]
    assert (request.model.id, request.temperature) == ("two", 0)
    assert (request.max_tokens, request.effort) == (9, "low")
    assert request.tools


async def test_tools_of_a_client_may_come_along_when_none_is_to_be_used() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    async with served(says("x"), says("y")) as site:
        for more in ({"tools": [tool], "tool_choice": "none"}, {"functions": [{}], "function_call": "none"}):
            assert (await site.post(PATH, ASK | more)).status_code == 200
            assert site.vendor.asked[-1].tools == ()


async def test_tool_choice_none_switches_ours_off() -> None:
    async with served(says("x")) as site:
        await site.post(PATH, ASK | {"tool_choice": "none"})
        assert site.vendor.asked[0].tools == ()


async def test_our_tools_run_here_and_are_not_told() -> None:
    call = [ToolCallStarted("c", "calculate"), ToolCallDelta("c", '{"expression": "6*7"}')]
    async with served([*call, ReplyFinished("tool_use")], says("42.")) as site:
        answer = await site.post(PATH, STREAM)
        assert "tool" not in answer.text
        data = sse_reader.read(answer.content).data
        assert "".join(json.loads(d)["choices"][0]["delta"].get("content", "") for d in data[:-1]) == "42."
        assert len(site.vendor.asked) == 2


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "runs its own tools"),
        ({"functions": [{"name": "f"}]}, "runs its own tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"n": 2}, "one answer"),
        ({"stop": "x"}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message"),
        ({"messages": [{"role": "user", "content": " "}]}, "last message"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "runs tools itself"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "no pictures"),
        (
            {"messages": [{"role": "user", "content": "x" * 150_000}]},
            "has 150,000 characters, and 100,000 fit",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 150_000}]}]},
            "has 150,000 characters, and 100,000 fit",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "needs a type"),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "no pictures"),
        ({"messages": [{"role": "bot", "content": "Hi"}]}, "one of system, developer, user, assistant"),
        ({"temperature": 3}, "temperature"),
        ({"reasoning_effort": "banana"}, "effort"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "system", "content": "x"}]}, "last message"),
    ],
)
async def test_what_cannot_be_had_is_refused_in_a_sentence(more: dict[str, Any], names: str) -> None:
    async with served(says("x")) as site:
        answer = await site.post(PATH, ASK | more)
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert names in error["message"]
        assert error["type"] == "invalid_request_error"
        assert site.vendor.asked == []


async def test_a_refusal_that_a_client_sends_back_is_a_text() -> None:
    async with served(says("x")) as site:
        refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot say."}]}
        messages = [{"role": "user", "content": "Who?"}, refused, {"role": "user", "content": "Why?"}]
        assert (await site.post(PATH, ASK | {"messages": messages})).status_code == 200
        assert "I cannot say." in str(site.vendor.asked[0].messages)


async def test_what_means_nothing_is_no_mistake() -> None:
    async with served(says("x")) as site:
        more = {"tools": [], "n": 1, "stop": None, "response_format": {"type": "text"}, "logprobs": False}
        more |= {"logit_bias": {}, "function_call": "auto", "audio": None, "modalities": []}
        assert (await site.post(PATH, ASK | more | {"stream": None})).status_code == 200


# What clients send by themselves, beside the question: the fields that their sources name.
OPEN_WEBUI = {
    **{"stream": True, "stream_options": {"include_usage": True}, "temperature": 0.7, "top_p": 0.9},
    **{"seed": 7, "frequency_penalty": 0.5, "presence_penalty": 0.1, "max_tokens": 256, "stop": []},
    **{"user": "ann", "metadata": {"chat_id": "c"}, "chat_id": "c", "session_id": "s", "id": "m"},
}
LIBRECHAT = {
    **{"stream": True, "user": "65f", "model": "acme:one", "presence_penalty": 0, "frequency_penalty": 0},
    **{"top_p": 1, "temperature": 1, "stream_options": {"include_usage": True}},
}
LANGCHAIN = {
    **{"stream": True, "n": 1, "temperature": 0.0, "max_completion_tokens": 64, "parallel_tool_calls": None},
    **{"stream_options": {"include_usage": True}, "logprobs": False, "store": False},
}
LOCAL_CLIENT = {
    **{"max_tokens": -1, "stream": True, "repeat_penalty": 1.1, "top_k": 40, "min_p": 0.05},
    **{"cache_prompt": True, "chat_template_kwargs": {"enable_thinking": False}, "samplers": "kt"},
}
OFFICIAL = {
    **{"store": True, "service_tier": "auto", "safety_identifier": "u", "prompt_cache_key": "k"},
    **{"verbosity": "low", "modalities": ["text"], "prediction": None, "top_logprobs": None},
    **{"reasoning_effort": "minimal", "stream_options": None, "parallel_tool_calls": True},
}


@pytest.mark.parametrize("sent", [OPEN_WEBUI, LIBRECHAT, LANGCHAIN, LOCAL_CLIENT, OFFICIAL])
async def test_what_today_s_clients_send_by_themselves_is_taken(sent: dict[str, Any]) -> None:
    async with served(says("Hi.")) as site:
        answer = await site.post(PATH, ASK | sent)
        assert answer.status_code == 200, answer.text
        request = site.vendor.asked[0]
        assert request.temperature == sent.get("temperature")
        limit = sent.get("max_completion_tokens") or sent.get("max_tokens")
        assert request.max_tokens == (None if limit == -1 else limit)
        assert request.effort == sent.get("reasoning_effort")
        assert request.messages == (User("Hello?"),)


async def test_words_for_the_model_alone_may_stand_behind_the_question() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "One?"}]},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm.", "tool_calls": []},
        {"role": "user", "content": "Two?", "name": "ann"},
        {"role": "system", "content": "In rhyme."},
    ]
    async with served(says("x")) as site:
        assert (await site.post(PATH, ASK | {"messages": messages})).status_code == 200
        request = site.vendor.asked[0]
    assert request.system == "In rhyme."
    assert request.messages == (User("One?"), Assistant((Text("Yes."),)), User("Two?"))


# -- byte by byte --------------------------------------------------------------------------------


async def test_the_end_of_each_story() -> None:
    async with served(
        says("a"),
        [TextDelta("a"), ReplyFinished("length")],
        [TextDelta("a"), ReplyFinished("filter")],
        [TextDelta("a"), CutOff("It was cut off.")],
    ) as site:
        for expected in ("stop", "length", "content_filter", None):
            answer = await site.post(PATH, STREAM)
            *_, last, mark = sse_reader.read(answer.content).data
            assert mark == "[DONE]"
            if expected is None:
                assert json.loads(last)["error"]["code"] == "cut_off"
            else:
                assert json.loads(last)["choices"][0]["finish_reason"] == expected


async def test_an_answer_that_grew_too_long_ends_as_at_any_limit() -> None:
    flood = [TextDelta("word " * 1000)] * 500
    async with served(flood, flood) as site, client(site) as ours:
        answer = await site.post(PATH, STREAM)
        *_, last, mark = sse_reader.read(answer.content).data
        assert (json.loads(last)["choices"][0]["finish_reason"], mark) == ("length", "[DONE]")
        whole = (await ours.chat.completions.create(**ASK)).choices[0]
        assert whole.finish_reason == "length"
        assert whole.message.content == "word " * 400_000


async def test_what_somebody_stopped_is_not_told_as_a_whole_answer() -> None:
    async with served([TextDelta("a"), HANG]) as site:
        asked = asyncio.create_task(site.post(PATH, STREAM | {"store": True}))
        await site.vendor.hanging.wait()
        [chat] = await site.app.store.chats("me")
        conversation = await site.app.store.peek("me", chat.id)
        assert conversation is not None
        assert conversation.last is not None
        await site.post(f"/runs/{conversation.last.run}/stop", None)
        *_, last, mark = sse_reader.read((await asked).content).data
        assert json.loads(last)["choices"][0]["finish_reason"] == "length"
        assert mark == "[DONE]"


async def test_cut_anywhere_it_goes_on_without_loss_or_doubling() -> None:
    body = STREAM | {"stream_options": {"include_usage": True}}
    async with served(WRITES) as site:
        whole = (await site.post(PATH, body)).content
        assert whole.startswith(b": ok\n\n")
        for message in sse_reader.read(whole).messages:
            rest = whole[whole.index(b"\n\n", whole.index(f"id: {message.id}\n".encode())) + 2 :]
            again = await site.post(PATH, body, last_event_id=message.id)
            assert again.status_code == (200 if rest else 204)
            assert again.content == (b": ok\n\n" + rest if rest else b"")
        assert len(site.vendor.asked) == 1


def test_every_end_has_a_status_of_its_own() -> None:
    assert set(get_args(Kind)) - {"stopped"} == set(STATUS)
