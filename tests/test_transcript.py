"""Given these events, this is what they add up to."""

from hypothesis import given
from hypothesis import strategies as st

from chat.errors import Failure, Kind
from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Progress,
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
from chat.transcript import Call, Prose, Thought, Transcript

SENT = RequestSent("http://x", {})


def fold(*events: Event) -> Transcript:
    """Each event a second after the one before."""
    transcript = Transcript()
    for number, event in enumerate(events, 1):
        transcript.add(number, float(number), event)
    return transcript


def test_blocks_in_the_order_of_arrival() -> None:
    transcript = fold(
        TurnStarted("a:b", {"temperature": 1}),
        SENT,
        ResponseOpened(200),
        ThinkingDelta("Hm"),
        ThinkingDelta("m."),
        TextDelta("Let "),
        TextDelta("me."),
        ToolCallStarted("c", "double"),
        ToolCallDelta("c", '{"n":'),
        ToolCallDelta("c", "2}"),
        ToolStarted("c", "double", {"n": 2}),
        ToolFinished("c", "double", 4, None, 0.5),
        SENT,
        TextDelta("Four."),
        TurnFinished("end"),
    )
    thought, prose, call, final = transcript.blocks
    assert isinstance(thought, Thought)
    assert (thought.text, thought.began, thought.ended) == ("Hmm.", 4, 6)
    assert isinstance(prose, Prose)
    assert prose.text == "Let me."
    assert isinstance(call, Call)
    assert (call.text, call.arguments, call.result, call.seconds) == ('{"n":2}', {"n": 2}, 4, 0.5)
    assert isinstance(final, Prose)
    assert transcript.text == "Let me.Four."
    assert transcript.first_text == 6
    assert (transcript.state, transcript.stop, transcript.ended) == ("complete", "end", 15)


def test_phases_with_their_times() -> None:
    transcript = fold(
        TurnStarted("a:b", {}),
        SENT,
        ResponseOpened(200),
        KeepAlive(),
        ThinkingDelta("a"),
        TextDelta("a"),
        TextDelta("b"),
        Retrying(2, 1, "server", "Busy."),
        TurnFinished("end"),
    )
    assert [(step.phase, step.began) for step in transcript.steps] == [
        ("connecting", 1),
        ("waiting", 3),
        ("thinking", 5),
        ("writing", 6),
        ("retrying", 8),
        ("over", 9),
    ]


def test_usage_the_last_of_a_reply_wins_and_replies_add_up() -> None:
    transcript = fold(SENT, Usage(10, 1), Usage(10, 5), SENT, Usage(20, 1), Usage(20, 2))
    assert transcript.usage == Usage(30, 7)


def test_the_turns_own_sum_is_final() -> None:
    assert fold(SENT, Usage(10, 1), TurnFinished("end", Usage(11, 2))).usage == Usage(11, 2)


def test_ids_that_begin_anew_in_each_reply() -> None:
    transcript = fold(
        ToolCallStarted("0", "a"),
        ToolFinished("0", "a", 1, None, 0.1),
        ToolCallStarted("0", "b"),
        ToolFinished("0", "b", 2, None, 0.1),
    )
    assert [call.result for call in transcript.calls] == [1, 2]


def test_states() -> None:
    assert fold().state == "running"
    assert fold(TurnFinished("length")).state == "complete"
    ends: dict[Kind, str] = {
        "stopped": "stopped",
        "shutdown": "interrupted",
        "server": "failed",
        "bug": "failed",
    }
    for kind, state in ends.items():
        assert fold(TurnFailed(Failure(kind, ""))).state == state


def test_remarks_stay_and_sources_are_named_once() -> None:
    transcript = fold(Notice("a", "b"), Progress("Searching"), Citation("T", "u"), Citation("T", "u"))
    assert transcript.notices == [Notice("a", "b")]
    assert transcript.progress == [(2, "Searching")]
    assert transcript.sources == [Citation("T", "u")]


def test_more_of_the_same_turns_nothing() -> None:
    transcript = fold(
        TurnStarted("a:b", {}), TextDelta("a"), TextDelta("b"), Usage(1), KeepAlive(), TextDelta("c")
    )
    assert (transcript.seq, transcript.turned) == (6, 2)


@given(st.lists(st.one_of(st.builds(TextDelta, st.text()), st.builds(ThinkingDelta, st.text()))))
def test_nothing_is_lost_in_the_fold(events: list[Event]) -> None:
    transcript = fold(*events)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert transcript.text == text
    assert transcript.length == len(text)
    thought = "".join(block.text for block in transcript.blocks if isinstance(block, Thought))
    assert thought == "".join(event.text for event in events if isinstance(event, ThinkingDelta))
