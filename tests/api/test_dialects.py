"""Given these events, these bytes: each dialect against its golden file.

A change of a golden file is a change of what programs out there read. `python -m tests.api.test_dialects`
writes them anew, to be read in the diff.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.api import dialects
from chat.api.chunks import chunks
from chat.api.dialects import Dialect
from chat.events import TextDelta, TurnFinished
from tests.api import sse_reader
from tests.api.stories import STORIES, Story

GOLDEN = Path(__file__).parent / "golden"
ROWS: dict[str, Dialect | Callable[[Any], Dialect]] = {
    "contents": dialects.CONTENTS,
    "chunks": dialects.CHUNKS,
    "lines": dialects.LINES,
    "marked_lines": dialects.MARKED_LINES,
    "events": dialects.EVENTS,
    "text": dialects.TEXT,
    "whole": dialects.WHOLE,
    "openai": lambda run: chunks(run, include_usage=False),
    "openai_with_usage": lambda run: chunks(run, include_usage=True),
}
NUMBERED = [name for name in ROWS if name not in ("text", "whole")]


def written(name: str, story: str, after: int = 0) -> bytes:
    told, row = Story(STORIES[story]), ROWS[name]
    row = row if isinstance(row, Dialect) else row(told)
    return b"".join(
        row.write(frame, f"{told.id}/{number}")
        for entry in told.entries
        for number, frame in row.of(entry.seq, entry.event, told.transcript)
        if number > after
    )


def golden(row: str) -> bytes:
    return b"\n".join(f"=== {story}\n".encode() + written(row, story) for story in STORIES)


@pytest.mark.parametrize("row", ROWS)
def test_the_bytes_are_those_of_the_golden_file(row: str) -> None:
    assert golden(row) == (GOLDEN / f"{row}.txt").read_bytes()


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("row", NUMBERED)
def test_each_frame_has_a_number_and_each_number_one_frame(row: str, story: str) -> None:
    ids = [message.id for message in sse_reader.read(written(row, story)).messages]
    numbers = [int(id.removeprefix("RUN/")) for id in ids]
    assert numbers == sorted(set(numbers))
    assert all(number > 0 for number in numbers)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("row", NUMBERED)
def test_what_follows_a_frame_is_what_followed_it_uncut(row: str, story: str) -> None:
    whole = written(row, story)
    for frame in sse_reader.read(whole).messages:
        place = whole.index(f"id: {frame.id}\n".encode())
        rest = whole[whole.index(b"\n\n", place) + 2 :]
        assert written(row, story, int(frame.id.partition("/")[2])) == rest


def texts(row: str, story: str) -> str:
    """The answer, put together from the frames as that format's clients do it."""
    return joined(row, sse_reader.read(written(row, story)).data)


def joined(row: str, data: list[str]) -> str:
    match row:
        case "contents":
            return "".join(json.loads(each).get("content", "") for each in data if each != "[DONE]")
        case "chunks":
            return "".join(json.loads(each).get("chunk", "") for each in data)
        case "openai" | "openai_with_usage":
            chunks = [json.loads(each) for each in data if each != "[DONE]"]
            choices = [choice for chunk in chunks for choice in chunk["choices"]]
            return "".join(choice["delta"].get("content", "") for choice in choices)
        case "events":
            return "".join(json.loads(each).get("text", "") for each in data if '"text_delta"' in each)
        case "marked_lines":
            return "".join(data[:-1])
        case _:
            return "".join(data)


@pytest.mark.parametrize("story", ["plain", "lines", "unicode", "json", "length", "everything"])
@pytest.mark.parametrize("row", NUMBERED)
def test_the_pieces_are_the_answer(row: str, story: str) -> None:
    answer = Story(STORIES[story]).transcript.text
    if row in ("lines", "marked_lines"):  # a data line has no CR, and UTF-8 no half of a character
        answer = answer.replace("\r\n", "\n").replace("\ud83d", "\ufffd")
        answer += "Note: Ended at the length limit." if story == "length" else ""
    assert texts(row, story) == answer


HOW = {"silent": {"stop": "refusal"}, "length": {"stop": "length"}, "stopped": {"state": "stopped"}}
"""What stands beside the end of these stories; beside that of any other, nothing."""


@pytest.mark.parametrize("story", STORIES)
def test_objects_say_once_that_it_is_done_and_then_the_mark(story: str) -> None:
    *_, done, mark = data = sse_reader.read(written("contents", story)).data
    assert (json.loads(done), mark) == ({"done": True, **HOW.get(story, {})}, "[DONE]")
    assert data.count(done) == data.count(mark) == 1


@pytest.mark.parametrize("story", STORIES)
def test_chunks_end_with_the_whole_and_no_mark(story: str) -> None:
    values = [json.loads(each) for each in sse_reader.read(written("chunks", story)).data]
    text = Story(STORIES[story]).transcript.text
    assert values[-1] == {"end": True, "full_response": text, **HOW.get(story, {})}
    assert sum("end" in value for value in values) == 1


@pytest.mark.parametrize("story", STORIES)
def test_marked_lines_end_with_the_mark_and_have_it_once(story: str) -> None:
    data = sse_reader.read(written("marked_lines", story)).data
    assert data[-1] == "[DONE]"
    assert data.count("[DONE]") == 1


@pytest.mark.parametrize("story", STORIES)
def test_the_events_end_with_one_terminal_event(story: str) -> None:
    messages = sse_reader.read(written("events", story)).messages
    terminal = [message.event for message in messages if message.event in ("turn_finished", "turn_failed")]
    assert terminal == [messages[-1].event]
    assert all(json.loads(message.data)["type"] == message.event for message in messages)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("row", ["openai", "openai_with_usage"])
def test_openai_s_chunks_end_with_a_reason_or_an_error_and_the_mark(row: str, story: str) -> None:
    *values, mark = sse_reader.read(written(row, story)).data
    last = json.loads(values[-2 if row == "openai_with_usage" and "error" not in values[-1] else -1])
    assert mark == "[DONE]"
    assert ("error" in last) == story.startswith("failed")
    assert "error" in last or last["choices"][0]["finish_reason"]


PIECES = st.lists(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\r") | st.sampled_from("\n\n: \t[]DONE\u2028"),
        max_size=8,
    )
)


@given(PIECES)
def test_any_text_arrives_as_it_is(pieces: list[str]) -> None:
    events = (*map(TextDelta, pieces), TurnFinished("end"))
    for row in NUMBERED:
        told = Story(events)
        dialect = ROWS[row]
        dialect = dialect if isinstance(dialect, Dialect) else dialect(told)
        body = b"".join(
            dialect.write(frame, f"RUN/{number}")
            for entry in told.entries
            for number, frame in dialect.of(entry.seq, entry.event, told.transcript)
        )
        stream = sse_reader.read(body)
        assert stream.rest == ""
        assert stream.comments == []
        answer = "".join(pieces)
        if row == "marked_lines":  # its mark gets a blank where a model says it
            answer = "".join("[DONE] " if piece == "[DONE]" else piece for piece in pieces)
        assert joined(row, stream.data) == answer


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), {"a": [float("inf")]}])
def test_a_number_that_json_does_not_have_is_a_text(value: object) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(dialects.dumps(value), parse_constant=refuse)


if __name__ == "__main__":
    for name in ROWS:
        (GOLDEN / f"{name}.txt").write_bytes(golden(name))
