"""Of what is sent to a listener, that alone comes to Gradio which the page would send."""

import json
import time
from typing import Any

import pytest

from chat.ui.inputs import DEEPEST, MOST_VALUES, Listener, RefusedError, read
from tests.ui.test_sessions import opened

ASK, SELECT, QUIET = 2, 9, 14
LISTENERS = {
    ASK: Listener(1, selects=False, queued=True),
    SELECT: Listener(1, selects=True, queued=True),
    QUIET: Listener(3, selects=False, queued=False),
}
SENT = {
    **{"question": "Hello, [you] {there}", "chat": "", "act": "ask", "run": "", "key": "fc84e73f351bf18d"},
    "values": ["demo:tour", 1, False, "", None, "", True, "as it comes", ["calculate", "search_docs"]],
}
BODY = {"data": [SENT], "event_data": None, "fn_index": ASK, "trigger_id": 1, "session_hash": "ht67vkfbou"}
FILE = {"path": "http://192.0.2.1/x", "meta": {"_type": "gradio.FileData"}}


def given(body: Any, *, queued: bool = True) -> dict[str, Any]:
    return read(body if isinstance(body, bytes) else json.dumps(body).encode(), LISTENERS, queued=queued)


def refused(body: Any, *, queued: bool = True) -> bool:
    try:
        given(body, queued=queued)
    except RefusedError:
        return True
    return False


def test_what_the_page_sends_is_passed_on() -> None:
    assert given(BODY) == {"data": [SENT], "fn_index": ASK, "session_hash": "ht67vkfbou"}
    event = {"index": 0, "value": {"text": "Show me Markdown"}}
    assert given({**BODY, "fn_index": SELECT, "event_data": event})["event_data"] == event
    wanted = {"empty": True, "keys": False, "model": ""}
    assert given({**BODY, "fn_index": QUIET, "data": [wanted, 1, ""]}, queued=False)
    long = {**SENT, "question": '[{,"\\' * 20_000, "values": [*SENT["values"][:8], ["tool"] * 400]}
    assert given({**BODY, "data": [long]})["data"] == [long]


def test_no_file_anywhere() -> None:
    url = {**FILE, "path": "x", "url": "http://192.0.2.1/x"}
    bad: list[Any] = [
        FILE,
        url,
        {"path": "/etc/passwd"},
        {"path": "x", "meta": "x"},
        {"path": "x", "meta": 1},
    ]
    bad += [{"path": "x", "meta": {"_type": 5}}, {"__type__": "update", "value": 1}, {"Path": "x"}]
    for each in bad:
        for place in (each, [each], {**SENT, "question": each}, {**SENT, "values": [[[each]]]}, [[each] * 2]):
            assert refused({**BODY, "data": [place]})
        for event in (each, {"index": each, "value": 1}, {"index": 0, "value": each}):
            assert refused({**BODY, "fn_index": SELECT, "event_data": event})


@pytest.mark.parametrize(
    "change",
    [
        *({"fn_index": each} for each in (None, True, 1, 2.0, "2", [2], -1, 10**30, QUIET)),
        *({"data": each} for each in (None, {}, "x", [], [1, 2], [SENT] * 500)),
        *({"session_hash": each} for each in (None, "", 5, ["x"], "x" * 101)),
        *({name: None} for name in ("simple_format", "batched", "oauth_token", "event_id", "request", "x")),
        *({"data": [each]} for each in (float("nan"), float("inf"), 2**60, -(10**300))),
        *({"fn_index": SELECT, "event_data": each} for each in (None, 5, {}, {"index": 1}, {"value": 1})),
        {"fn_index": SELECT, "event_data": {"index": 1, "value": 1, "selected": True}},
    ],
)
def test_another_shape(change: dict[str, Any]) -> None:
    assert refused({**BODY, **change})


def test_what_is_not_queued_is_asked_for_elsewhere() -> None:
    assert refused(BODY, queued=False)
    assert refused({**BODY, "fn_index": QUIET, "data": [1, 2, 3]})


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_how_deep_and_how_many() -> None:
    assert not refused({**BODY, "data": [nested(DEEPEST - 2)]})
    assert refused({**BODY, "data": [nested(DEEPEST - 1)]})
    assert not refused({**BODY, "data": [[[]] * (MOST_VALUES // 2 - 10)]})
    assert refused({**BODY, "data": [[0] * MOST_VALUES]})


MANY = b'{"fn_index": 2, "session_hash": "x", "data": [%s]}'


@pytest.mark.parametrize(
    "body",
    [
        MANY % (b"[" + b",".join([b"[]"] * 300_000) + b"]"),
        b"[" * 900_000,
        b'{"data":' * 110_000,
        MANY % (b"[" * 400_000 + b"]" * 400_000),
        b"[" + b'"",' * 300_000,
        b"{" + b'"a":1,' * 150_000 + b'"a":1}',
        b"," * 900_000,
        b'"' + b'\\"' * 450_000,
        b'"' + b"\\" * 900_001,
        b'"' * 900_001 + b"," * 600,
        b'""' * 400_000 + b"[" * 600,
        b"1" * 900_000,
        json.dumps({**BODY, "data": [[0] * 250_000]}).encode("utf-16"),
        # In UTF-16 a quotation mark's byte is half of another character too.
        ('{"\u2200": [' + "[]," * 200_000 + "[]]}").encode("utf-16-le"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_too_much_is_refused_before_it_is_read(body: bytes) -> None:
    began = time.thread_time()
    assert refused(body)
    assert time.thread_time() - began < 0.1  # 20 ms at most, on a quiet machine


async def test_no_listener_of_the_page_gets_any_of_it(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened() as page:
        listeners = (await page.client.get("/config")).json()["dependencies"]
        called = [each for each in listeners if each["backend_fn"] and each["inputs"]]
        assert len(called) > 5
        for value in (FILE, {"path": "x", "meta": "x"}, nested(300), [[]] * 200_000):
            for each in called:
                route = "run/predict" if each["queue"] is False else "queue/join"
                data = [value] + [1] * (len(each["inputs"]) - 1)
                body = {"data": data, "fn_index": each["id"], "session_hash": "s"}
                answer = await page.client.post(f"/gradio_api/{route}", json=body, headers=page.cookie("me"))
                assert answer.status_code == 400
        assert len(page.boxes) == 0
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())
