"""Given these events, this view: what the activity view is told, and how little of it changes."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from gradio.utils import diff

from chat.errors import Failure
from chat.events import (
    Citation,
    Event,
    Notice,
    Progress,
    Queued,
    RequestSent,
    ResponseOpened,
    Retrying,
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
from chat.transcript import Transcript
from chat.ui import activity
from chat.ui.activity import LARGEST_JSON, LONGEST, LONGEST_THOUGHT, view

STARTED = TurnStarted("demo:tour", {"temperature": 0.5, "max_tokens": None, "tools": ["calculate"]})
SENT = (STARTED, RequestSent("demo:", {}), ResponseOpened(200))
CALL = (
    *SENT,
    ToolCallStarted("1", "calculate"),
    ToolCallDelta("1", '{"expression": "12'),
    ToolCallDelta("1", '*7"}'),
)
RUNNING = (*CALL, ToolStarted("1", "calculate", {"expression": "12*7"}))


def told(*events: Event, every: float = 1.0, elapsed: float | None = None) -> Transcript:
    """The transcript of `events`, one every `every` seconds from 0 on."""
    transcript = Transcript()
    for seq, event in enumerate(events):
        transcript.add(seq + 1, seq * every, event)
    return transcript


def shown(*events: Event) -> dict[str, Any]:
    value = view(told(*events), len(events))
    json.dumps(value)  # plain JSON, or Gradio cannot send it
    return value


def test_what_it_goes_on_from_stands_above_it_with_its_thoughts_tools_and_sources() -> None:
    before = told(
        *SENT,
        ThinkingDelta("Hm"),
        TextDelta('{"a": [1,'),
        Citation("A", "https://host/a"),
        TurnFailed(Failure("stopped", "Stopped.")),
    )
    both = [Citation("A", "https://host/a"), Citation("B", "https://host/b")]
    after = told(*RUNNING[:-1], *both, TextDelta(" 2]}"), TurnFinished("end"))
    alone, value = view(after, 9), view(after, 9, left_off=activity.left_off([before]))
    json.dumps(value)
    items = value["items"]
    assert items[len(items) - len(alone["items"]) :] == alone["items"]
    assert [item["kind"] for item in items if item["kind"] in ("thought", "progress", "call")] == [
        "thought",
        "progress",
        "call",
    ]
    assert next(item["text"] for item in items if item["kind"] == "progress") == "Stopped, then continued"
    assert len({item["id"] for item in items}) == len(items)
    assert value["sources"] == [["A", "https://host/a"], ["B", "https://host/b"]]
    assert json.loads(value["json"]) == {"a": [1, 2]}


def kinds(value: dict[str, Any]) -> list[str]:
    return [item["kind"] for item in value["items"]]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "Queued"),
        ([Queued(3)], "Queued, 3 before you"),
        ([Queued(0)], "Queued"),
        ([STARTED], "Connecting"),
        (SENT, "Waiting for the model"),
        ([*SENT, ThinkingDelta("Hm")], "Thinking"),
        ([*SENT, TextDelta("Yes")], "Writing"),
        (CALL, "Preparing calculate"),
        (RUNNING, "Running calculate"),
        ([*SENT, Retrying(2, 1.0, "overloaded", "too busy")], "Trying again"),
        ([*SENT, TextDelta("Yes"), TurnFinished("end")], "Done"),
        ([*SENT, TextDelta("Yes"), TurnFinished("length")], "Ended at the length limit"),
        ([*SENT, TextDelta("Yes"), TurnFinished("filter")], "Ended by the provider’s filter"),
        ([*SENT, TextDelta("No"), TurnFinished("refusal")], "Refused by the model"),
        ([*SENT, TurnFailed(Failure("stopped", "Stopped."))], "Stopped"),
        ([*SENT, TurnFailed(Failure("shutdown", "Ended."))], "Interrupted"),
        ([*SENT, TurnFailed(Failure("cut_off", "Cut."))], "Cut off"),
        ([*SENT, TurnFailed(Failure("stalled", "Silent."))], "Failed"),
        ([*SENT, TextDelta("Yes"), TurnFailed(Failure("stalled", "Silent."))], "Cut off: it fell silent"),
        ([*SENT, TurnFailed(Failure("auth", "No key."))], "Failed"),
    ],
)
def test_the_phase_is_said_in_words(events: Iterable[Event], words: str) -> None:
    assert shown(*events)["words"] == words


def test_a_retry_says_why() -> None:
    assert shown(*SENT, Retrying(2, 1.0, "overloaded", "It is too busy."))["detail"] == "It is too busy."


def test_tools_that_run_side_by_side_are_counted() -> None:
    two = (*RUNNING, ToolCallStarted("2", "current_time"), ToolStarted("2", "current_time", {}))
    assert shown(*two)["words"] == "Running 2 tools"
    assert shown(*two, ToolFinished("2", "current_time", 1, None, 0.1))["words"] == "Running calculate"


def test_the_clock_stops_where_the_run_ended() -> None:
    transcript = told(*SENT, TextDelta("Yes"), TurnFinished("end"))
    assert view(transcript, elapsed=99.0)["elapsed"] == transcript.ended == 4.0


def test_the_clock_of_a_phase_begins_with_it() -> None:
    value = view(told(*SENT, ThinkingDelta("Hm")), elapsed=5.0)
    assert (value["began"], value["elapsed"]) == (3.0, 5.0)


def test_steps_thoughts_and_calls_stand_in_the_order_in_which_they_began() -> None:
    value = shown(
        *SENT,
        ThinkingDelta("Hm"),
        Progress("Looking at the manual"),
        ToolCallStarted("1", "calculate"),
        ToolStarted("1", "calculate", {}),
        ToolFinished("1", "calculate", 84, None, 0.004),
        RequestSent("demo:", {}),
        ResponseOpened(200),
        TextDelta("84"),
        TurnFinished("end"),
    )
    assert kinds(value) == ["step", "step", "thought", "progress", "call", "step", "step", "step"]
    steps = [(item["words"], item["seconds"]) for item in value["items"] if item["kind"] == "step"]
    assert steps == [
        ("Connected", 2.0),
        ("Waited for the model", 1.0),
        ("Connected", 1.0),
        ("Waited for the model", 1.0),
        ("Wrote", 1.0),
    ]


def test_a_step_too_short_to_notice_gets_no_line() -> None:
    value = view(told(*SENT, TextDelta("Yes"), TurnFinished("end"), every=0.001), 1)
    assert kinds(value) == []


def test_a_thought_grows_and_then_says_how_long_it_took() -> None:
    thinking = shown(*SENT, ThinkingDelta("Let me "), ThinkingDelta("see"))["items"][-1]
    assert (thinking["text"], thinking["seconds"]) == ("Let me see", None)
    over = shown(*SENT, ThinkingDelta("Let me see"), TextDelta("Yes"))["items"][-1]
    assert (over["kind"], over["seconds"]) == ("thought", 1.0)
    failed = shown(*SENT, ThinkingDelta("Let me"), TurnFailed(Failure("stopped", "")))["items"][-1]
    assert failed["seconds"] == 1.0


def test_a_very_long_thought_says_how_much_is_not_shown() -> None:
    thought = shown(*SENT, ThinkingDelta("x" * (LONGEST_THOUGHT + 5)))["items"][-1]
    assert (len(thought["text"]), thought["more"]) == (LONGEST_THOUGHT, 5)


def test_a_call_shows_its_arguments_as_they_stream_in_then_in_short() -> None:
    preparing = shown(*CALL[:-1])["items"][-1]
    assert (preparing["state"], preparing["arguments"]) == ("preparing", '{"expression": "12')
    running = shown(*RUNNING)["items"][-1]
    assert (running["state"], running["short"], running["began"]) == ("running", "12*7", 6.0)
    assert running["arguments"] == '{\n  "expression": "12*7"\n}'


def test_a_call_ends_with_its_result_or_its_error_and_how_long_it_took() -> None:
    result = {"value": 84, "exact": True}
    done = shown(*RUNNING, ToolFinished("1", "calculate", result, None, 0.004))["items"][-1]
    assert (done["state"], done["seconds"]) == ("done", 0.004)
    assert done["line"] == "value: 84, exact: true"
    assert json.loads(done["result"]) == result
    failed = shown(*RUNNING, ToolFinished("1", "calculate", None, "It divides by zero.", 0.1))["items"][-1]
    assert (failed["state"], failed["error"]) == ("failed", "It divides by zero.")
    assert failed["result"] == failed["line"] == ""


def test_a_result_of_nothing_is_a_result() -> None:
    assert shown(*RUNNING, ToolFinished("1", "calculate", None, None, 0.1))["items"][-1]["result"] == "null"


def test_a_huge_result_is_cut_and_its_size_is_said() -> None:
    text = shown(*RUNNING, ToolFinished("1", "calculate", "y" * 1_000_000, None, 0.1))["items"][-1]["result"]
    assert len(text) < LONGEST + 100
    assert text.endswith("(1,000,000 characters in all)")


def test_a_call_that_the_turn_left_behind_does_not_run_on() -> None:
    for events in (CALL, RUNNING):
        assert shown(*events, TurnFailed(Failure("stopped", "")))["items"][-1]["state"] == "left"


def test_a_tool_of_the_provider_is_marked_and_over_when_something_else_goes_on() -> None:
    events = (*SENT, ToolCallStarted("1", "web_search", "provider"), ToolCallDelta("1", '{"q": "x"}'))
    assert shown(*events)["items"][-1]["state"] == "running"
    searched = shown(*events, TextDelta("Found"))["items"][-1]
    assert (searched["where"], searched["state"]) == ("provider", "done")


@pytest.mark.parametrize(
    ("arguments", "short"),
    [
        ('{"city": "Paris"}', "Paris"),
        ('{"city": "Paris", "days": 3}', "city: Paris, days: 3"),
        ('{"a": {"b": [1, 2]}}', "b: 1, 2"),
        ("{}", ""),
        ("{broken", "{broken"),
        ("", ""),
        (json.dumps({"text": "long " * 1000}), ("long " * 24)[:119] + "…"),
        ("[" * 100_000, "[" * 119 + "…"),
    ],
)
def test_arguments_in_short(arguments: str, short: str) -> None:
    # A call of the provider's never says its parsed arguments.
    events = (*SENT, ToolCallStarted("1", "f", "provider"), ToolCallDelta("1", arguments))
    assert shown(*events)["items"][-1]["short"] == short


def test_a_failure_is_told_but_a_stop_is_none() -> None:
    assert shown(*SENT, TurnFailed(Failure("auth", "No key.")))["failure"] == "No key."
    assert shown(*SENT, TurnFailed(Failure("stopped", "Stopped.")))["failure"] == ""


def test_sources_notices_and_the_request() -> None:
    value = shown(*SENT, Notice("refused", "Sent without."), Citation("Docs", "https://example.org"))
    assert value["notices"] == ["Sent without."]
    assert value["sources"] == [["Docs", "https://example.org"]]
    assert value["request"] == [["model", "demo:tour"], ["temperature", "0.5"], ["tools", "calculate"]]


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (Usage(), ""),
        (Usage(1200, 34), "1,200 tokens in · 34 out"),
        (Usage(1200, 34, cached=1000, thinking=20), "1,200 tokens in (1,000 cached) · 34 out (20 thinking)"),
        (Usage(None, 34), "34 tokens out"),
        (Usage(5, 6, cost=0.01), "5 tokens in · 6 out · $0.01"),
        (Usage(5, 6, cost=0.000025), "5 tokens in · 6 out · $0.000025"),
        (Usage(5, 6, cost=0.0), "5 tokens in · 6 out · $0"),
    ],
)
def test_usage(usage: Usage, text: str) -> None:
    assert shown(*SENT, usage)["usage"] == text


def test_json_in_the_answer_is_looked_for_once_the_answer_is_over() -> None:
    answer = TextDelta('Here: {"a": [1, 2]}')
    assert shown(*SENT, answer)["json"] == ""
    assert json.loads(shown(*SENT, answer, TurnFinished("end"))["json"]) == {"a": [1, 2]}


@pytest.mark.parametrize("text", ["As the manual says [1].", "An empty list is [] or {}.", "No JSON."])
def test_what_a_person_would_not_call_json_is_not_shown(text: str) -> None:
    assert shown(*SENT, TextDelta(text), TurnFinished("end"))["json"] == ""


def test_json_too_large_to_unfold_says_so() -> None:
    answer = TextDelta(json.dumps(["x" * 1000] * (LARGEST_JSON // 1000 + 1)))
    assert "too many to unfold" in shown(*SENT, answer, TurnFinished("end"))["json"]


def test_one_run_is_told_from_the_next() -> None:
    one, other = told(*SENT), told(*SENT)
    assert view(one, 1)["run"] == view(one, 2)["run"] != view(other, 1)["run"]


def test_of_text_that_grows_only_the_new_part_travels() -> None:
    transcript = told(*SENT, ThinkingDelta("x" * 50_000))
    before = view(transcript, 5.0)
    transcript.add(5, 5.5, ThinkingDelta(" and more"))
    changes = diff(before, view(transcript, 6.0))
    assert ["append", ["items", 2, "text"], " and more"] in changes
    assert len(json.dumps(changes)) < 200


def test_an_item_keeps_its_place() -> None:
    events = (
        *SENT,
        ThinkingDelta("Hm"),
        *CALL[3:],
        ToolCallStarted("2", "current_time"),
        ToolStarted("1", "calculate", {}),
        ToolStarted("2", "current_time", {}),
        ToolFinished("2", "current_time", "now", None, 0.1),
        Progress("Still calculating"),
        ToolFinished("1", "calculate", 84, None, 3.0),
        RequestSent("demo:", {}),
        ThinkingDelta("Good"),
        TextDelta("84"),
        TurnFinished("end"),
    )
    transcript, orders = Transcript(), []
    for seq, event in enumerate(events):
        transcript.add(seq + 1, seq, event)
        orders.append([item["id"] for item in view(transcript, seq)["items"]])
    for earlier, later in itertools.pairwise(orders):
        assert [id for id in later if id in earlier] == earlier


def test_the_component_holds_no_template_that_a_text_could_break_out_of() -> None:
    component = activity.component()
    assert component.html_template == ""
    script = component.js_on_load or ""
    assert "textContent" in script
    for way_in in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way_in not in script
