"""Given text that is no Unicode, the page gets what it can be sent."""

import orjson

from chat.conversations import Exchange
from chat.events import (
    Citation,
    Event,
    Notice,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from chat.transcript import Transcript
from chat.ui import activity
from chat.ui.bubbles import Bubble

HALF = "\ud83d"


def told(*events: Event) -> Exchange:
    transcript = Transcript()
    for n, event in enumerate([TurnStarted("demo:tour", {"system": HALF}), *events]):
        transcript.add(n + 1, float(n), event)
    return Exchange(f"Why {HALF}?", "r1", transcript)


def test_every_screen_can_be_sent() -> None:
    events: list[Event] = [
        ThinkingDelta(HALF),
        TextDelta(f'Hello {HALF} ```json\n{{"a": "{HALF}", "b": [2, 3]}}\n```\n'),
        ToolCallStarted("1", f"calculate{HALF}"),
        ToolCallDelta("1", f'{{"x": "{HALF}", "y": "\\ud83d"}}'),
        ToolStarted("1", "calculate", {"x": HALF}),
        ToolFinished("1", "calculate", {"of": [HALF]}, None, 0.1),
        Citation(HALF, f"https://host/{HALF}"),
        Notice("x", HALF),
        TurnFinished("end"),
    ]
    for upto in range(len(events) + 1):
        exchange = told(*events[:upto])
        orjson.dumps(Bubble([exchange]).messages())
        orjson.dumps(activity.view(exchange.transcript, 1.0))


def test_arguments_nested_very_deeply_are_shown_as_they_came() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    result: object = 1
    for _ in range(3000):
        result = [result]
    exchange = told(
        ToolCallStarted("1", "calculate"),
        ToolCallDelta("1", deep),
        ToolStarted("1", "calculate", None),
        ToolFinished("1", "calculate", result, None, 0.1),
    )
    call = next(item for item in activity.view(exchange.transcript, 9.0)["items"] if item["kind"] == "call")
    assert call["arguments"].startswith(('{"a":', '{\n  "a"'))
    assert "deep" in call["result"]
    assert "deep" in call["line"]
