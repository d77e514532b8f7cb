"""Runs as lists of events, written by hand: what each dialect is held to, in `golden/`."""

from chat.errors import Failure
from chat.events import (
    Citation,
    Entry,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    Progress,
    Queued,
    RequestSent,
    ResponseOpened,
    Retrying,
    Terminal,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.messages import Options, Turn
from chat.transcript import Transcript

BEGUN = (TurnStarted("acme:one", {}), RequestSent("http://acme/v1", {"model": "one"}), ResponseOpened(200))
DONE = TurnFinished("end", Usage(7, 5))

STORIES: dict[str, tuple[Event, ...]] = {
    "plain": (*BEGUN, TextDelta("Hel"), TextDelta(""), TextDelta("lo."), Usage(7, 5), DONE),
    "lines": (
        *BEGUN,
        TextDelta("one\n\n  two\r\nthree"),
        TextDelta("\n"),
        TextDelta("```\ndata: x\n```\n"),
        DONE,
    ),
    "unicode": (*BEGUN, TextDelta("日本"), TextDelta("語🚴\u2028é"), TextDelta("half \ud83d"), DONE),
    "json": (*BEGUN, TextDelta('Here: {"a": [1, '), TextDelta('null]} and {"b": 2}'), DONE),
    "mark": (*BEGUN, TextDelta("[DONE]"), TextDelta(": ok"), DONE),
    "silent": (*BEGUN, TurnFinished("refusal")),
    "length": (*BEGUN, TextDelta('{"a": 1}'), TurnFinished("length")),
    "everything": (
        Queued(1),
        *BEGUN,
        Retrying(2, 0.5, "overloaded", "Acme is busy: asking again."),
        Notice("tools_not_sent", "one takes no tools: asked without them."),
        KeepAlive(),
        ThinkingDelta("Hm,\n"),
        ThinkingDelta("a sum."),
        Opaque({"signature": "sentinel"}),
        ToolCallStarted("c1", "calculate"),
        ToolCallDelta("c1", '{"expression": "6*7"}'),
        ToolStarted("c1", "calculate", {"expression": "6*7"}),
        Progress("Calculating"),
        Citation("Sums", "https://sums.example"),
        ToolFinished("c1", "calculate", {"value": 42}, None, 0.25),
        ToolFinished("c2", "get_weather", None, "There is no such place.", 1.5),
        TextDelta("42."),
        DONE,
    ),
    "failed": (
        *BEGUN,
        TextDelta('{"a": 1} and'),
        TurnFailed(Failure("cut_off", "Acme's answer was cut off.\nAsk again.", None, None)),
    ),
    "too long": (
        *BEGUN,
        TextDelta('{"a": 1} and'),
        TurnFailed(Failure("answer_too_long", "The answer was ended here. Ask for it in parts.")),
    ),
    "failed at once": (TurnFailed(Failure("config", "Acme needs a key.")),),
    "stopped": (*BEGUN, TextDelta('{"a": 1} and'), TurnFailed(Failure("stopped", "Stopped."))),
}


class Story:
    """As much of a run as a stream reads."""

    id = "RUN"
    started = 1_700_000_000.5
    turn = Turn("?", Options(model="acme:one"))

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.entries = [Entry(seq, seq / 10, event) for seq, event in enumerate(events, 1)]
        self.transcript = Transcript()
        for entry in self.entries:
            self.transcript.add(entry.seq, entry.at, entry.event)
        assert isinstance(events[-1], Terminal)
