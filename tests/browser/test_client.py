"""The client over what a server may send it: any split of bytes, any break of the line, any refusal."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from chat.events import TextDelta, TurnFailed, TurnFinished
from chat.outcomes import note
from tests.api.stories import STORIES
from tests.api.test_dialects import written
from tests.browser.conftest import PATIENCE
from tests.browser.fake_server import Answer, FakeServer, Handler, cut, refuse, stream

ASK = """async ({endpoint = "/chat/stream", options = {}, message = "Hello", ...more}) => {
    const told = window.told = {pieces: [], events: [], completed: null, error: null}, seen = [];
    const chat = window.chat = more.again ? window.chat
        : new StreamingChat(endpoint, {...options, onEvent: (event) => {
            told.events.push(event);
            if (event.opened) seen.push(window.seen?.());
        }});
    told.text = await chat.sendMessage(
        message,
        (piece) => { told.pieces.push(piece); seen.push(window.seen?.()); },
        (...ending) => { told.completed = ending; },
        ({message, sentence, text, status, kind, retryAfter}) => {
            told.error = {message, sentence, text, status, kind, retryAfter};
        },
    );
    await Promise.all(seen);
    return told;
}"""

HURRY = """() => {
    // Pauses between tries are no part of what is told here; their lengths are. Above nine seconds it is
    // what a server asked for, or the silence after which a line counts as broken.
    const real = setTimeout;
    window.setTimeout = (after, time) => real(after, time < 9e3 ? time / 50 : window.silence ?? time);
}"""

CONTENT = b'data: {"content": "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xf0\x9f\x9a\xb4"}\n\n'
ENDED = b'data: {"done": true}\n\ndata: [DONE]\n\n'


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture(scope="module")
def page(browser: Browser, server: FakeServer) -> Iterator[Page]:
    page, errors = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(PATIENCE)
    page.goto(server.url)
    page.evaluate("() => { window.seen = () => fetch('/seen') }")
    page.evaluate(HURRY)
    yield page
    page.close()
    assert errors == []


def told(page: Page, server: FakeServer, *answers: Answer, **asked: Any) -> dict[str, Any]:
    server.say(*answers)
    result = page.evaluate(ASK, asked)
    assert not server.answers
    return result


def frame(number: int, **data: Any) -> bytes:
    return f"id: RUN/{number}\ndata: {json.dumps(data)}\n\n".encode()


# -- any split of bytes ------------------------------------------------------------------------------


def single(body: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in body]


def test_characters_that_arrive_byte_by_byte_are_whole(page: Page, server: FakeServer) -> None:
    result = told(page, server, stream(*single(CONTENT + ENDED)))
    assert result["text"] == "日本語🚴"
    assert result["completed"] == [
        "日本語🚴",
        {"state": "complete", "stop": "end", "run": None, "conversation": None},
    ]


def test_bare_text_that_arrives_byte_by_byte_is_whole(page: Page, server: FakeServer) -> None:
    body = "日本語🚴\n\n data: x".encode()
    options = {"headers": {"Accept": "text/plain"}}
    result = told(page, server, stream(*single(body), media="text/plain; charset=utf-8"), options=options)
    assert result["text"] == "日本語🚴\n\n data: x"
    assert server.asked[0].headers["accept"] == "text/plain"


RESPLIT = """async ({cases, rounds}) => {
    let seed = 20261;
    const below = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
    const wrong = [], real = window.fetch;
    for (const {endpoint, body, media, text, objects} of cases) {
        const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
        for (let round = 0; round < rounds; round += 1) {
            window.fetch = async () => new Response(new ReadableStream({
                start(controller) {
                    const most = round === 0 ? 1 : 1 + below(40); // the first time byte by byte
                    for (let at = 0; at < bytes.length; ) {
                        const size = round === 0 ? 1 : 1 + below(most);
                        controller.enqueue(bytes.slice(at, at + size));
                        at += size;
                    }
                    controller.close();
                },
            }), {headers: {"Content-Type": media}});
            const events = [];
            const onEvent = (event) => event.opened || event.retrying || events.push(event);
            const chat = new StreamingChat(endpoint, {onEvent});
            const pieces = [];
            const whole = await chat.sendMessage("?", (piece) => pieces.push(piece), null, () => {});
            const same = JSON.stringify(events) === JSON.stringify(objects);
            if (whole !== text || pieces.join("") !== text || !same) {
                wrong.push({endpoint, text, whole, pieces, events, objects});
            }
        }
    }
    window.fetch = real;
    return wrong;
}"""


def said(story: str) -> str:
    return "".join(event.text for event in STORIES[story] if isinstance(event, TextDelta))


def expected(row: str, story: str) -> tuple[str, list[Any]]:
    """Text and objects that `story` has to come out as, told by its events alone."""
    text = said(story).replace("\ud83d", "\ufffd") if row in ("lines", "text") else said(story)
    last = STORIES[story][-1]
    failure = ""
    if isinstance(last, TurnFailed) and last.failure.kind != "stopped":
        failure = f"Error: {last.failure.message}"
    elif isinstance(last, TurnFinished):
        failure = note(last.stop)
    if row == "text" and failure:
        text += "\n\n" + failure
    if row == "lines":
        text = text.replace("\r\n", "\n") + failure
    if row in ("lines", "text"):
        return text, []
    body = written(row, story).decode()
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {")]
    objects = [json.loads(line) for line in lines]
    return text, objects


DIALECTS = {
    "contents": "/chat/stream",
    "chunks": "/api/message",
    "lines": "/stream-chat",
    "text": "/chat/stream",
}
ENDS = {"LF": lambda body: body, "CRLF": lambda body: body.replace(b"\n", b"\r\n")} | {
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "BOM": lambda body: b"\xef\xbb\xbf" + body,
    "between": lambda body: body.replace(b"\n\n", b"\n: a comment\nretry: 10\nnonsense\n\n\n"),
}


@pytest.mark.parametrize("row", DIALECTS)
def test_a_recorded_answer_comes_out_the_same_however_it_is_cut(page: Page, row: str) -> None:
    cases = list[dict[str, Any]]()
    for story in STORIES:
        text, objects = expected(row, story)
        for name, end in ENDS.items():
            if row == "text" and name != "LF":
                continue  # there a line's end is text
            media = "text/plain" if row == "text" else "text/event-stream"
            body = base64.b64encode(end(written(row, story))).decode()
            case = {"endpoint": DIALECTS[row], "body": body, "media": media, "text": text, "objects": objects}
            cases.append(case)
    assert page.evaluate(RESPLIT, {"cases": cases, "rounds": 12}) == []


def test_each_byte_may_reach_the_script_by_itself(page: Page) -> None:
    whole = {
        "media": "text/event-stream",
        "text": "日本語🚴",
        "objects": [{"content": "日本語🚴"}, {"done": True}],
    }
    case = {"endpoint": "/chat/stream", "body": base64.b64encode(CONTENT + ENDED).decode(), **whole}
    assert page.evaluate(RESPLIT, {"cases": [case], "rounds": 1}) == []  # the first round goes byte by byte


def test_fields_are_read_as_the_standard_says(page: Page, server: FakeServer) -> None:
    body = (
        b'data:{"content": "a"}\n\n'  # no blank after the colon
        b"data\n\n"  # an empty line of data is not JSON, and no text either
        b'data: {"content":\ndata:  "b"}\n\n'
        b'event: other\ndata: {"content": "c"}\n\n'
        b'data: {"done": true}\n'  # no blank line behind it: not sent whole
    )
    result = told(page, server, stream(body))
    assert result["pieces"] == ["a", "b", "c"]
    assert result["error"]["message"] == "The connection broke off before the end of the answer."
    assert result["error"]["text"] == "abc"


def test_how_it_ended_is_passed_on(page: Page, server: FakeServer) -> None:
    for end, state, stop in (
        (b'{"done": true, "stop": "length"}', "complete", "length"),
        (b'{"end": true, "full_response": "a", "stop": "filter"}', "complete", "filter"),
        (b'{"done": true, "state": "stopped"}', "stopped", None),  # by somebody else
        (b'{"done": true}', "complete", "end"),
    ):
        body = b'data: {"content": "a"}\n\ndata: {"notice": "n", "kind": "k"}\n\ndata: ' + end + b"\n\n"
        result = told(page, server, stream(body))
        assert result["completed"] == ["a", {"state": state, "stop": stop, "run": None, "conversation": None}]
        assert {"notice": "n", "kind": "k"} in result["events"]
    bare = told(page, server, stream(b"data: one\n\n"))
    assert bare["completed"][1]["stop"] is None  # bare text does not say


def test_a_line_that_is_no_object_falls_back_to_text(page: Page, server: FakeServer) -> None:
    body = b'data: plain\n\ndata: {"content": "!"}\n\ndata: 42\n\ndata: null\n\ndata: {"broken\n\n'
    result = told(page, server, stream(body + ENDED + CONTENT))  # what follows the end is no part of it
    assert result["text"] == 'plain!42null{"broken'


def test_bare_lines_end_where_the_server_closes(page: Page, server: FakeServer) -> None:
    result = told(page, server, stream(b"data: one\ndata: two\n\ndata: three\n\n"))
    assert result["completed"][0] == "one\ntwothree"


def test_text_lines_are_text_even_where_they_look_like_objects(page: Page, server: FakeServer) -> None:
    body = b'data: {"content": "x"}\n\ndata: [DONE]\n\ndata: 1\n\ndata: [DONE]\n\n'
    assert told(page, server, stream(body), endpoint="/stream-chat")["text"] == '{"content": "x"}[DONE]1'


# -- a line that breaks -------------------------------------------------------------------------------


def test_a_broken_line_goes_on_after_the_last_whole_frame(page: Page, server: FakeServer) -> None:
    first = stream(
        frame(1, content="one "), frame(2, content="two ") + b"id: RUN/3\ndata: {", cut=3, Run_Id="RUN"
    )
    result = told(page, server, first, stream(frame(3, content="three") + ENDED, Run_Id="RUN"))
    assert result["pieces"] == ["one ", "two ", "three"]
    assert server.asked[1].headers["last-event-id"] == "RUN/2"
    assert server.asked[1].body == server.asked[0].body
    assert [event["retrying"]["attempt"] for event in result["events"] if "retrying" in event] == [1]


def test_a_line_that_closes_without_an_end_was_broken_too(page: Page, server: FakeServer) -> None:
    half = stream(frame(1, content="one "), Run_Id="RUN")
    assert told(page, server, half, stream(frame(2, content="two") + ENDED))["text"] == "one two"


def test_cut_before_the_first_frame_it_asks_for_the_run_from_its_beginning(
    page: Page, server: FakeServer
) -> None:
    told(page, server, stream(b": ok\n\n", cut=1, Run_Id="RUN"), stream(frame(1, content="one") + ENDED))
    assert server.asked[1].headers["last-event-id"] == "RUN/0"


def test_cut_before_the_answer_it_sends_the_same_question_by_its_key(page: Page, server: FakeServer) -> None:
    result = told(page, server, cut, stream(frame(1, content="one") + ENDED))
    assert result["text"] == "one"
    first, second = server.asked
    assert "last-event-id" not in second.headers
    assert first.body == second.body
    assert len(first.body["key"]) >= 16


def test_bare_text_goes_on_behind_what_has_come(page: Page, server: FakeServer) -> None:
    options = {"headers": {"Accept": "text/plain"}}
    first = stream("one 日本".encode(), cut=2, media="text/plain", Run_Id="RUN")
    rest = stream("one 日本語 two".encode(), media="text/plain")
    result = told(page, server, first, rest, options=options)
    assert result["pieces"] == ["one 日本", "語 two"]
    assert server.asked[1].headers["last-event-id"] == "RUN/0"


def test_what_was_delivered_whole_ends_with_204(page: Page, server: FakeServer) -> None:
    half = stream(frame(1, content="one"), cut=2, Run_Id="RUN")
    assert told(page, server, half, refuse(204))["completed"][0] == "one"


def test_while_a_proxy_has_no_server_behind_it_it_tries_again(page: Page, server: FakeServer) -> None:
    half = stream(frame(1, content="one "), cut=2, Run_Id="RUN")
    bad = refuse(502, b"<html>Bad gateway</html>", "text/html")
    busy = refuse(503, {"error": "Wait."}, Retry_After="3")
    result = told(page, server, half, bad, busy, stream(frame(2, content="two") + ENDED))
    assert result["text"] == "one two"
    delays = [event["retrying"]["delay"] for event in result["events"] if "retrying" in event]
    assert delays[2] == 3000
    assert delays[0] <= 250 * 1.25


def test_it_gives_up_in_a_sentence_and_with_what_has_come(page: Page, server: FakeServer) -> None:
    half = stream(frame(1, content="one"), cut=2, Run_Id="RUN")
    result = told(page, server, half, cut, cut, cut, options={"retries": 3})
    assert result["completed"] is None
    assert len(server.asked) == 4
    assert result["error"]["message"] == "The connection was lost, and cannot be made again."
    assert result["error"]["text"] == "one"


def test_each_new_word_gives_all_its_tries_again(page: Page, server: FakeServer) -> None:
    lines = [stream(frame(n, content=f"{n} "), cut=2 * n, Run_Id="RUN") for n in (1, 2, 3)]
    result = told(page, server, *lines, stream(ENDED), options={"retries": 1})
    assert result["text"] == "1 2 3 "


def test_a_line_that_has_gone_silent_is_taken_for_broken(page: Page, server: FakeServer) -> None:
    never = threading.Event()
    page.evaluate("window.silence = 100")
    silent = stream(frame(1, content="one "), b"", until=never, Run_Id="RUN")
    assert told(page, server, silent, stream(frame(2, content="two") + ENDED))["text"] == "one two"
    page.evaluate("delete window.silence")
    never.set()


def test_lines_that_stay_silent_are_given_up_too(page: Page, server: FakeServer) -> None:
    never = threading.Event()

    def nothing(handler: Handler) -> None:
        never.wait(5)
        stream(frame(2, content="late") + ENDED)(handler)

    page.evaluate("window.silence = 100")
    half = stream(frame(1, content="one "), cut=2, Run_Id="RUN")
    padding = stream(b": ok\n\n", b"", until=never, Run_Id="RUN")
    result = told(page, server, half, padding, nothing, options={"retries": 2})
    assert result["error"]["text"] == "one "
    assert len(server.asked) == 3
    page.evaluate("delete window.silence")
    never.set()


def begun(page: Page, server: FakeServer, *answers: Answer) -> None:
    """Waits until an answer whose line broke is to be taken up again in an hour."""
    server.say(
        stream(frame(1, content="one "), cut=2, Run_Id="RUN"), refuse(503, Retry_After="3600"), *answers
    )
    page.evaluate(f"() => {{ window.going = ({ASK})({{}}) }}")
    page.wait_for_function("window.told?.events.filter((event) => event.retrying).length === 2")


def test_when_the_browser_is_online_again_it_does_not_wait(page: Page, server: FakeServer) -> None:
    begun(page, server, stream(frame(2, content="two") + ENDED))
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.evaluate("going")["text"] == "one two"


def test_a_rest_leaves_no_listener_and_no_timer_behind(page: Page, server: FakeServer) -> None:
    page.evaluate("""() => {
        window.left = new Set();
        const listen = window.addEventListener.bind(window), later = window.setTimeout;
        const forget = window.clearTimeout.bind(window);
        window.addEventListener = (kind, call, options) => {
            if (kind === "online") {
                left.add(call);
                options.signal?.addEventListener("abort", () => left.delete(call));
            }
            listen(kind, call, options);
        };
        window.setTimeout = (call, time) => {
            const timer = later(() => { left.delete(timer); call(); }, time);
            if (time === 3e4) left.add(timer); // as long as a server may make it wait
            return timer;
        };
        window.clearTimeout = (timer) => { left.delete(timer); forget(timer); };
        window.restore = () => {
            Object.assign(window, {setTimeout: later, clearTimeout: forget});
            delete window.addEventListener;
            return left.size;
        };
    }""")
    begun(page, server, stream(frame(2, content="two") + ENDED))
    assert page.evaluate("left.size") == 2
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.evaluate("going")["text"] == "one two"
    assert page.evaluate("restore()") == 0


def test_a_stop_while_the_line_is_broken_does_not_wait_either(page: Page, server: FakeServer) -> None:
    begun(page, server, cut, refuse(200, {}))
    page.evaluate("chat.stop()")
    assert page.evaluate("going")["completed"] == [
        "one ",
        {"state": "stopped", "stop": None, "run": "RUN", "conversation": None},
    ]
    assert [each.path for each in server.asked[2:]] == ["/runs/RUN/stop"] * 2


def test_a_stop_that_does_not_reach_the_server_is_told(page: Page, server: FakeServer) -> None:
    begun(page, server, cut, cut, cut)
    page.evaluate("chat.stop()")
    result = page.evaluate("going")
    assert "could not be told" in result["error"]["message"]
    assert result["error"]["text"] == "one "


def test_an_answer_that_is_gone_is_told_in_the_server_s_words(page: Page, server: FakeServer) -> None:
    half = stream(frame(1, content="one"), cut=2, Run_Id="RUN")
    result = told(page, server, half, refuse(404, {"error": "It is gone.", "kind": "not_found"}))
    assert result["error"]["message"] == "HTTP 404: It is gone."
    assert result["error"]["text"] == "one"


def test_a_server_without_names_for_its_answers_is_not_asked_again(page: Page, server: FakeServer) -> None:
    result = told(page, server, stream(b'data: {"content": "one"}\n\n', cut=2))
    assert result["error"]["text"] == "one"
    assert "broke off" in result["error"]["message"]


# -- refusals, failures, guards ------------------------------------------------------------------------


def test_429_is_told_with_when_to_come_again(page: Page, server: FakeServer) -> None:
    result = told(page, server, refuse(429, {"error": "Too many.", "kind": "rate_limited"}, Retry_After="7"))
    assert result["error"] == {
        "message": "HTTP 429: Too many. Try again in 7 seconds.",
        "sentence": "Too many. Try again in 7 seconds.",
        "text": "",
        "status": 429,
        "kind": "rate_limited",
        "retryAfter": 7,
    }


def test_when_to_come_again_is_told_once(page: Page, server: FakeServer) -> None:
    result = told(page, server, refuse(429, {"error": "Full. Ask again in 60 seconds."}, Retry_After="60"))
    assert result["error"]["message"] == "HTTP 429: Full. Ask again in 60 seconds."
    assert result["error"]["retryAfter"] == 60


@pytest.mark.parametrize(
    ("body", "media", "message"),
    [
        (b"Internal Server Error", "text/plain", "HTTP 500: Internal Server Error"),
        (b"<h1>Oh</h1>", "text/html", "HTTP 500"),
        ({"detail": "Broken."}, "application/json", "HTTP 500: Broken."),
        ({"error": {"message": "Broken."}}, "application/json", "HTTP 500: Broken."),
        (b"null", "application/json", "HTTP 500"),
    ],
)
def test_500_is_told_in_the_server_s_words(
    page: Page, server: FakeServer, body: Any, media: str, message: str
) -> None:
    assert told(page, server, refuse(500, body, media))["error"]["message"] == message


def test_a_page_in_the_place_of_a_stream_is_no_answer(page: Page, server: FakeServer) -> None:
    result = told(page, server, refuse(200, b"<h1>Sign in</h1>", "text/html"))
    assert result["error"]["message"].startswith("The server answered with text/html")
    assert result["text"] == ""


def test_a_failure_in_the_stream_keeps_the_text(page: Page, server: FakeServer) -> None:
    failed = b'data: {"error": "Acme is full.", "kind": "overloaded"}\n\n'
    result = told(page, server, stream(CONTENT + failed + ENDED))
    assert result["completed"] is None
    assert (result["error"]["message"], result["error"]["kind"]) == ("Acme is full.", "overloaded")
    assert result["text"] == result["error"]["text"] == "日本語🚴"


def test_a_failure_without_a_listener_rejects(page: Page, server: FakeServer) -> None:
    server.say(refuse(401, {"error": "Who?"}))
    script = "() => new StreamingChat('/chat/stream').sendMessage('Hello').catch((error) => `${error}`)"
    assert page.evaluate(script) == "StreamingChatError: HTTP 401: Who?"


def test_without_a_reader_it_says_so(page: Page) -> None:
    script = """async (ask) => {
        const real = window.fetch;
        window.fetch = async () => ({ok: true, status: 200, headers: new Headers(), body: null});
        try { return (await ask({})).error.message; } finally { window.fetch = real; }
    }"""
    assert "no reader" in page.evaluate(f"() => ({script})({ASK})")


def test_a_listener_that_throws_ends_nothing_but_its_own_answer(page: Page, server: FakeServer) -> None:
    server.say(stream(CONTENT + ENDED), stream(CONTENT + ENDED))
    script = """async () => {
        const chat = new StreamingChat("/chat/stream");
        const listener = () => { throw new Error("mine"); };
        const fault = await chat.sendMessage("Hello", listener).catch((error) => error.message);
        return [fault, chat.streaming, await chat.sendMessage("Hello")];
    }"""
    assert page.evaluate(script) == ["mine", False, "日本語🚴"]


# -- conversation, stop --------------------------------------------------------------------------------


def test_the_next_message_goes_on_in_the_same_conversation(page: Page, server: FakeServer) -> None:
    answer = stream(CONTENT + ENDED, Run_Id="RUN", Conversation_Id="C1")
    options = {"body": {"model": "demo:tour"}}
    assert told(page, server, answer, options=options)["completed"][1]["conversation"] == "C1"
    assert "conversation" not in server.asked[0].body
    told(page, server, answer, message="And?", again=True)
    assert {**server.asked[0].body, "key": ""} == {
        "model": "demo:tour",
        "conversation": "C1",
        "message": "And?",
        "key": "",
    }


def test_one_answer_at_a_time(page: Page, server: FakeServer) -> None:
    server.say(stream(CONTENT + ENDED))
    script = """async () => {
        const chat = new StreamingChat("/chat/stream");
        const first = chat.sendMessage("Hello");
        const second = await chat.sendMessage("Hello").catch((error) => error.message);
        return [second, await first];
    }"""
    second, first = page.evaluate(script)
    assert second.startswith("Already streaming")
    assert first == "日本語🚴"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("endpoint", "root"),
    [
        ("/chat/stream", ""),
        ("/bot/chat/stream/openai?x=1", "/bot"),
        ("/bot/api/message", "/bot"),
        ("/stream-chat", ""),
    ],
)
def test_stop_tells_the_server_which_answer(page: Page, server: FakeServer, endpoint: str, root: str) -> None:
    stopped = threading.Event()

    def stop(handler: Handler) -> None:
        refuse(200, {})(handler)
        stopped.set()

    server.say(stream(frame(1, content="one"), ENDED, until=stopped, Run_Id="R1"), stop)
    page.evaluate(f"(asked) => {{ window.going = ({ASK})(asked) }}", {"endpoint": endpoint})
    page.wait_for_function("window.told?.pieces.length === 1")
    page.evaluate("chat.stop()")
    result = page.evaluate("going")
    assert server.asked[1].path == f"{root}/runs/R1/stop"
    assert result["completed"][1] == {"state": "stopped", "stop": None, "run": "R1", "conversation": None}


def test_a_module_defines_it_as_well_as_a_script(browser: Browser, server: FakeServer) -> None:
    page = browser.new_page()
    page.goto(server.url)
    script = """async () => {
        delete globalThis.StreamingChat;
        await import("/streaming-chat.js");
        return [typeof StreamingChat, typeof window.StreamingChat];
    }"""
    assert page.evaluate(script) == ["function", "function"]
    page.close()
