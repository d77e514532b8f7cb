"""Given this request, this answer: the streaming routes, and runs by their id."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from chat.errors import CutOff
from chat.events import KeepAlive, ReplyFinished, TextDelta, ThinkingDelta
from chat.messages import Assistant, User
from chat.models import Model
from tests.api import sse_reader
from tests.api.served import Served, served
from tests.scripted import HANG, says

ASK = {"message": "Hello?"}
POSTS = ("/chat/stream", "/api/message", "/stream-chat")
WRITES = (TextDelta("Hel"), TextDelta("lo "), TextDelta("日本\n語"), ReplyFinished("end"))
TEXT = "Hello 日本\n語"


async def ask(site: Served, path: str, **headers: str) -> httpx.Response:
    if path.startswith("/chat?"):
        return await site.get(path, **headers)
    return await site.post(path, ASK, **headers)


def data(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    stream = sse_reader.read(answer.content)
    assert stream.rest == ""
    assert stream.comments[0] == "ok"
    return stream.data


# -- the formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/chat/stream", "/chat/stream/acme"])
async def test_objects_by_what_they_bring(path: str) -> None:
    async with served([ThinkingDelta("Hm."), *WRITES]) as site:
        *frames, mark = data(await site.post(path, ASK))
    assert [json.loads(frame) for frame in frames] == [
        {"thinking": "Hm."},
        *({"content": text} for text in ("Hel", "lo ", "日本\n語")),
        {"done": True},
    ]
    assert mark == "[DONE]"


async def test_chunks_the_data_and_the_whole() -> None:
    async with served([TextDelta("Here: "), TextDelta('{"a": 1}'), ReplyFinished("end")]) as site:
        frames = data(await site.post("/api/message", ASK))
    assert [json.loads(frame) for frame in frames] == [
        {"chunk": "Here: "},
        {"chunk": '{"a": 1}'},
        {"json_data": {"a": 1}},
        {"end": True, "full_response": 'Here: {"a": 1}'},
    ]


async def test_lines_of_text() -> None:
    async with served(WRITES) as site:
        assert data(await site.post("/stream-chat", ASK)) == ["Hel", "lo ", "日本\n語"]


async def test_lines_of_text_and_a_mark() -> None:
    async with served(WRITES) as site:
        answer = await site.get("/chat?q=Hello%3F")
        assert data(answer) == ["Hel", "lo ", "日本\n語", "[DONE]"]
        assert site.vendor.asked[0].messages == (User("Hello?"),)


@pytest.mark.parametrize("path", POSTS)
async def test_bare_text_for_who_accepts_that(path: str) -> None:
    async with served(WRITES, [TextDelta("Hel"), CutOff("It was cut off.")]) as site:
        answer = await site.post(path, ASK, accept="text/plain")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text == TEXT
        assert (await site.post(path, ASK, accept="text/plain")).text == "Hel\n\nError: It was cut off."


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream", "text/event-stream, text/plain;q=0.5"])
async def test_events_for_everybody_else(accept: str) -> None:
    async with served(WRITES) as site:
        assert data(await site.post("/chat/stream", ASK, accept=accept))


@pytest.mark.parametrize("path", POSTS)
async def test_not_streamed_it_is_one_json_value(path: str) -> None:
    async with served([ThinkingDelta("Hm."), *WRITES], [TextDelta("Hel"), CutOff("It was cut off.")]) as site:
        answer = await site.post(path, ASK | {"stream": False})
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()
        assert (told["text"], told["thinking"], told["state"]) == (TEXT, "Hm.", "complete")
        assert "error" not in told
        told = (await site.post(path, ASK | {"stream": False})).json()
        assert (told["text"], told["error"], told["kind"]) == ("Hel", "It was cut off.", "cut_off")


async def test_the_headers_that_keep_a_stream_flowing() -> None:
    async with served(WRITES) as site:
        headers = (await site.post("/chat/stream", ASK)).headers
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["connection"] == "keep-alive"


@pytest.mark.parametrize(
    ("query", "body"),
    [("?message=Hello%3F", None), ("", ASK), ("?message=no", ASK), ("?message=Hello%3F", {})],
)
async def test_the_question_may_stand_in_the_address(query: str, body: Any) -> None:
    async with served(WRITES) as site:
        assert data(await site.client.post(f"/chat/stream{query}", json=body))
        assert site.vendor.asked[0].messages == (User("Hello?"),)


async def test_an_unknown_provider_is_an_error_in_an_open_stream() -> None:
    async with served() as site:
        *frames, mark = data(await site.post("/chat/stream/nope", ASK))
        assert site.vendor.asked == []
    error, done = (json.loads(frame) for frame in frames)
    assert error["error"].startswith("Unknown provider “nope”")
    assert (error["kind"], done, mark) == ("config", {"done": True}, "[DONE]")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/chat/stream", '{"error": "It was cut off.", "kind": "cut_off"}'),
        ("/api/message", '{"error": "It was cut off."}'),
        ("/stream-chat", "Error: It was cut off."),
        ("/chat?q=Hello", "Error: It was cut off."),
    ],
)
async def test_a_failure_in_mid_stream_is_told_in_the_stream(path: str, error: str) -> None:
    async with served([TextDelta("Hel"), CutOff("It was cut off.")]) as site:
        assert data(await ask(site, path))[1] == error


# -- when it comes -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*POSTS, "/chat?q=Hello"])
async def test_the_first_byte_comes_before_the_provider_has_said_a_word(path: str) -> None:
    async with served([HANG]) as site:
        method = "GET" if "?" in path else "POST"
        body = None if "?" in path else ASK
        async with site.client.stream(method, path, json=body) as answer:
            async for chunk in answer.aiter_bytes():
                assert chunk.startswith(b": ok\n\n")
                break
            assert site.app.runs.get(answer.headers["run-id"]) is not None


async def test_each_delta_arrives_when_it_was_said() -> None:
    gates = [asyncio.Event() for _ in "abc"]
    script = [step for gate, letter in zip(gates, "abc", strict=True) for step in (gate, TextDelta(letter))]
    async with (
        served([*script, ReplyFinished("end")]) as site,
        site.client.stream("POST", "/stream-chat", json=ASK) as answer,
    ):
        lines = answer.aiter_lines()
        for gate, letter in zip(gates, "abc", strict=True):
            gate.set()
            async with asyncio.timeout(10):
                while await anext(lines) != f"data: {letter}":
                    pass


@pytest.mark.parametrize("silence", [[HANG], [KeepAlive(), KeepAlive(), HANG]])
async def test_a_heartbeat_fills_the_silence_of_a_provider(silence: list[Any]) -> None:
    async with (
        served([TextDelta("a"), *silence], heartbeat=0.02) as site,
        site.client.stream("POST", "/chat/stream", json=ASK) as answer,
    ):
        beats = 0
        async for line in answer.aiter_lines():
            beats += line == ": heartbeat"
            if beats == 3:
                break


async def test_no_heartbeat_where_text_would_show_it_and_white_space_in_json() -> None:
    gate = asyncio.Event()
    script = [TextDelta("a"), gate, ReplyFinished("end")]
    async with served(script, script, heartbeat=0.001) as site:
        plain = asyncio.create_task(site.post("/chat/stream", ASK, accept="text/plain"))
        whole = asyncio.create_task(site.post("/chat/stream", ASK | {"stream": False}))
        async with asyncio.timeout(10):
            while len(site.vendor.asked) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        gate.set()
        assert (await plain).text == "a"
        assert (await whole).text.startswith("\n\n")
        assert (await whole).json()["text"] == "a"


async def test_streams_overlap() -> None:
    gates = [asyncio.Event() for _ in range(20)]
    scripts = [[TextDelta("a"), gate, ReplyFinished("end")] for gate in gates]
    async with served(*scripts, environ={"CHAT_RUNS_EACH": "100"}) as site:
        asked = [asyncio.create_task(site.post("/stream-chat", ASK)) for _ in gates]
        async with asyncio.timeout(10):
            while len(site.vendor.asked) < 20:
                await asyncio.sleep(0.01)
        assert not any(task.done() for task in asked)
        for gate in gates:
            gate.set()
        assert [data(await task) for task in asked] == [["a"]] * 20


# -- leaving, returning, stopping ----------------------------------------------------------------


async def begun(site: Served, path: str = "/chat/stream", text: bytes = b"Hel") -> str:
    """Asks, reads up to `text`, leaves; the run's id."""
    async with site.client.stream("POST", path, json=ASK, headers=site.cookie()) as answer:
        read = b""
        async for chunk in answer.aiter_bytes():
            read += chunk
            if text in read:
                break
        return answer.headers["run-id"]


async def test_who_leaves_stops_nothing() -> None:
    gate = asyncio.Event()
    async with served([TextDelta("Hel"), gate, TextDelta("lo"), ReplyFinished("end")]) as site:
        run = site.app.runs.get(await begun(site))
        assert run is not None
        await nobody_reads(run)
        gate.set()
        await run.finished()
        assert (run.state, run.transcript.text) == ("complete", "Hello")


async def test_unless_the_settings_say_so() -> None:
    async with served([TextDelta("Hel"), HANG], environ={"CHAT_WHEN_LEFT": "stop"}) as site:
        run = site.app.runs.get(await begun(site))
        assert run is not None
        await run.finished()
        assert run.state == "stopped"


async def test_a_reader_in_one_piece_that_leaves_counts_as_one() -> None:
    async with served([TextDelta("Hel"), HANG], environ={"CHAT_WHEN_LEFT": "stop"}) as site:
        async with site.client.stream("POST", "/chat/stream", json=ASK | {"stream": False}) as answer:
            run = site.app.runs.get(answer.headers["run-id"])
            assert run is not None
            await site.vendor.hanging.wait()
        await run.finished()
        assert run.state == "stopped"


async def nobody_reads(run: Any) -> None:
    async with asyncio.timeout(10):
        while run.readers:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", [*POSTS, "/chat?q=Hello"])
async def test_cut_anywhere_it_goes_on_without_loss_or_doubling(path: str) -> None:
    async with served([ThinkingDelta("Hm."), *WRITES]) as site:
        whole = (await ask(site, path)).content
        for message in sse_reader.read(whole).messages:
            rest = whole[whole.index(b"\n\n", whole.index(f"id: {message.id}\n".encode())) + 2 :]
            again = await ask(site, path, last_event_id=message.id)
            if not rest and path != "/stream-chat":  # it has no end of its own, so none was delivered
                assert (again.status_code, again.content) == (204, b"")
            else:
                assert again.content == f": ok\n\nid: {message.id}\n\n".encode() + rest
            assert again.headers["run-id"] == message.id.partition("/")[0]
        assert len(site.vendor.asked) == 1


async def test_it_is_resumed_while_it_goes_on() -> None:
    gate = asyncio.Event()
    async with served([TextDelta("Hel"), gate, TextDelta("lo"), ReplyFinished("end")]) as site:
        run = await begun(site)
        # Before the first word: the id that opened the stream.
        waiting = asyncio.create_task(site.post("/chat/stream", ASK, last_event_id=f"{run}/0"))
        found = site.app.runs.get(run)
        assert found is not None
        async with asyncio.timeout(10):
            while not found.readers:
                await asyncio.sleep(0.01)
        gate.set()
        assert [json.loads(each) for each in data(await waiting)[:-1]] == [
            {"content": "Hel"},
            {"content": "lo"},
            {"done": True},
        ]
        assert len(site.vendor.asked) == 1


async def test_a_place_that_is_lost_gives_the_end() -> None:
    async with served(WRITES) as site:
        run = (await site.post("/chat/stream", ASK)).headers["run-id"]
        assert data(await site.post("/chat/stream", ASK, last_event_id=f"{run}/999")) == [
            '{"done": true}',
            "[DONE]",
        ]


@pytest.mark.parametrize(
    ("id", "status"),
    [
        ("nothing", 400),
        ("a/b", 400),
        ("RUN/-1", 400),
        ("RUN/99999", 400),
        ("A1-_/3", 404),
        ("a" * 70 + "/1", 400),
    ],
)
@pytest.mark.parametrize("path", ["/chat/stream", "/chat?q=Hello", "/chat/stream/nope"])
async def test_an_id_that_is_not_there_begins_nothing(path: str, id: str, status: int) -> None:
    async with served([TextDelta("Hel"), HANG]) as site:
        run = await begun(site)
        answer = await ask(site, path, last_event_id=id.replace("RUN", run))
        assert answer.status_code == status
        assert answer.json()["error"]
        assert len(site.vendor.asked) == 1


async def test_the_same_key_is_the_same_answer() -> None:
    async with served(WRITES) as site:
        first = await site.post("/chat/stream", ASK | {"key": "k1"})
        again = await site.post("/chat/stream", ASK | {"key": "k1"})
        assert again.content == first.content
        assert len(site.vendor.asked) == 1


@pytest.mark.parametrize("database", [":memory:", "chat.db"])
async def test_sent_several_times_at_once_it_is_asked_once(database: str) -> None:
    async with served(WRITES, environ={"CHAT_DATABASE": database}) as site:
        sent = (site.post("/chat/stream", ASK | {"key": "k1"}) for _ in range(5))
        answers = await asyncio.gather(*sent)
        assert len({answer.content for answer in answers}) == 1
        assert len(site.vendor.asked) == 1
        assert len(await site.app.store.chats("me")) == 1


async def test_stop() -> None:
    async with served([TextDelta("Hel"), HANG]) as site:
        run = await begun(site)
        answer = await site.post(f"/runs/{run}/stop", None)
        assert answer.json() == {"run": run, "state": "stopped"}
        assert site.vendor.closed == 1
        assert (await site.post(f"/runs/{run}/stop", None)).json()["state"] == "stopped"
        resumed = await site.post("/chat/stream", ASK, last_event_id=f"{run}/0")
        assert data(resumed) == ['{"content": "Hel"}', '{"done": true, "state": "stopped"}', "[DONE]"]


async def test_the_events_of_a_run() -> None:
    async with served(WRITES) as site:
        run = (await site.post("/chat/stream", ASK)).headers["run-id"]
        whole = await site.get(f"/runs/{run}/events")
        data(whole)
        messages = sse_reader.read(whole.content).messages
        assert [message.id for message in messages] == [f"{run}/{n}" for n in range(1, len(messages) + 1)]
        assert messages[-1].event == "turn_finished"
        assert json.loads(messages[1].data) == {"type": "text_delta", "text": "Hel"}
        rest = await site.get(f"/runs/{run}/events", last_event_id=messages[1].id)
        assert sse_reader.read(rest.content).messages == messages[2:]
        assert (await site.get(f"/runs/{run}/events", last_event_id="other/1")).status_code == 404


async def test_somebody_else_s_run_is_a_run_that_is_not_there() -> None:
    async with served([TextDelta("Hel"), HANG]) as site:
        run = await begun(site)
        for owner in ("you", ""):
            for method, path, headers in (
                ("GET", "/runs/{}/events", {}),
                ("POST", "/runs/{}/stop", {}),
                ("POST", "/chat/stream", {"last-event-id": "{}/0"}),
            ):
                cookie = site.cookie(owner) if owner else {}
                answers = [
                    await site.client.request(
                        method,
                        path.format(id),
                        json=ASK if path == "/chat/stream" else None,
                        headers=cookie | {name: value.format(id) for name, value in headers.items()},
                    )
                    for id in (run, "AAAAAAAAAAAAAAAA")
                ]
                assert [answer.status_code for answer in answers] == [404, 404]
                assert answers[0].content == answers[1].content
        found = site.app.runs.get(run)
        assert found is not None
        assert found.state == "running"


async def test_a_reader_that_does_not_read_costs_nothing_and_loses_nothing() -> None:
    piece = "x" * 10_000
    async with (
        served([*[TextDelta(piece)] * 190, ReplyFinished("end")]) as site,
        site.client.stream("POST", "/stream-chat", json=ASK) as answer,
    ):
        run = site.app.runs.get(answer.headers["run-id"])
        assert run is not None
        await run.finished()  # two megabytes, and nobody has read them
        read = b"".join([chunk async for chunk in answer.aiter_bytes()])
    assert "".join(sse_reader.read(read).data) == piece * 190


# -- conversations -------------------------------------------------------------------------------


async def test_what_was_asked_is_kept_in_a_conversation_of_its_own() -> None:
    async with served(says("One."), says("Two."), says("Three.")) as site:
        before = await site.app.store.current("me")
        first = await site.post("/chat/stream", {"message": "How many?"})
        chat = first.headers["conversation-id"]
        assert [line.title for line in await site.app.store.chats("me")] == ["How many?"]
        assert (await site.app.store.current("me")).id == before.id  # the page stays where it is
        again = await site.post("/chat/stream", {"message": "And now?", "conversation": chat})
        assert again.headers["conversation-id"] == chat
        assert [message.text for message in site.vendor.asked[1].messages if isinstance(message, User)] == [
            "How many?",
            "And now?",
        ]
        other = await site.post("/chat/stream", {"message": "Else?"})
        assert other.headers["conversation-id"] != chat
        assert len(await site.app.store.chats("me")) == 2


async def test_a_history_is_used_as_it_is() -> None:
    history = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]
    async with served(says("d")) as site:
        await site.post("/chat/stream", {"message": "x", "history": history})
        *told, question = site.vendor.asked[0].messages
        assert [type(message) for message in told] == [User, User, Assistant]
        assert [message.text for message in told if isinstance(message, User | Assistant)] == ["a", "b", "c"]
        assert question == User("x")


async def test_somebody_else_s_conversation_is_none() -> None:
    async with served(says("One.")) as site:
        chat = (await site.post("/chat/stream", ASK)).headers["conversation-id"]
        answers = [
            await site.post("/chat/stream", ASK | {"conversation": id}, owner="you") for id in (chat, "A")
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        assert len(site.vendor.asked) == 1


async def test_the_choices_reach_the_model() -> None:
    async with served(says("x"), says("y")) as site:
        body = {"model": "acme:two", "temperature": 0.5, "system": "Be brief.", "tools": ["calculate"]}
        await site.post("/chat/stream", ASK | body | {"max_tokens": 9, "effort": "low"})
        request = site.vendor.asked[0]
        assert (request.model.id, request.temperature, request.system) == ("two", 0.5, "Be brief.")
        assert (request.max_tokens, request.effort) == (9, "low")
        assert [tool.name for tool in request.tools] == ["calculate"]
        await site.post("/chat/stream", ASK | {"tools": False})
        assert site.vendor.asked[1].tools == ()


async def test_an_effort_is_a_word_that_vendors_have_or_one_that_the_model_lists() -> None:
    async with served(says("x"), says("y")) as site:
        answer = await site.post("/chat/stream", ASK | {"effort": "unsupported"})
        assert answer.status_code == 422
        assert "There are: none, minimal, low" in answer.text
        assert site.vendor.asked == []
        site.vendor.listed = [Model("acme", "two", efforts=("brief", "low"))]
        listing = site.app.catalogue.refresh()
        await (listing or site.app.catalogue._fetch_all(["acme"]))
        await site.post("/chat/stream", ASK | {"model": "acme:two", "effort": "brief"})
        assert site.vendor.asked[0].effort == "brief"
        answer = await site.post("/chat/stream", ASK | {"model": "acme:two", "effort": "long"})
        assert "There are: brief, low." in answer.text


async def test_a_request_may_have_a_time_limit() -> None:
    async with served([TextDelta("Hel"), HANG]) as site:
        frames = data(await site.post("/chat/stream", ASK | {"timeout": 0.05}))
        error = json.loads(frames[-3])
        assert error["kind"] == "stalled"
        assert "0.05 seconds" in error["error"]
        assert site.vendor.closed == len(site.vendor.asked)
