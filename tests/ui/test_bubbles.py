"""Given these events, the chat shows these messages."""

from typing import Any

import pytest

from chat.conversations import Exchange
from chat.errors import Failure, Kind
from chat.events import (
    Citation,
    Event,
    Notice,
    RequestSent,
    ResponseOpened,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.transcript import Transcript
from chat.ui.bubbles import Bubble, conversation, question, remark

BEGIN: list[Event] = [TurnStarted("demo:tour", {}), RequestSent("", {}), ResponseOpened(200)]


def exchange(*events: Event, asked: str = "Why?", step: float = 0.1) -> Exchange:
    transcript = Transcript()
    for n, event in enumerate([*BEGIN, *events]):
        transcript.add(n + 1, n * step, event)
    return Exchange(asked, "r1", transcript)


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """The blocks of the answer."""
    return [block["text"] for block in messages[-1]["content"]]


def fate(*events: Event) -> str:
    return texts(Bubble(exchange(*events)).messages())[-1]


def test_a_question_is_shown_as_it_was_typed() -> None:
    [text] = [block["text"] for block in question("a *b*\n\n<c> $x$ \\(")["content"]]
    assert text == '<div class="asked">a *b*<br><br>&lt;c&gt; &#36;x&#36; &#92;(</div>'


def test_an_answer_grows_block_by_block() -> None:
    running = exchange(TextDelta("One "))
    bubble = Bubble(running)
    assert texts(bubble.messages()) == ["One ", '<div class="now writing run-r1">Writing</div>']
    running.transcript.add(5, 0.5, TextDelta("two"))
    assert texts(bubble.messages())[0] == "One two"
    running.transcript.add(6, 0.6, ToolCallStarted("c", "calculate"))
    assert texts(bubble.messages())[-1] == '<div class="now calling run-r1">Preparing calculate</div>'
    running.transcript.add(7, 0.7, ToolStarted("c", "calculate", {}))
    running.transcript.add(8, 0.8, ToolFinished("c", "calculate", 84, None, 0.004))
    running.transcript.add(9, 0.9, TextDelta("three"))
    assert texts(bubble.messages())[:2] == ["One two", "three"]


def test_only_what_the_pace_allows_is_shown_and_the_end_waits_for_it() -> None:
    bubble = Bubble(exchange(TextDelta("One two three"), TurnFinished("end")))
    assert texts(bubble.messages(7)) == ["One two", '<div class="now over run-r1">Writing</div>']
    assert texts(bubble.messages(13))[0] == "One two three"
    assert 'class="fate' in texts(bubble.messages(13))[1]


def test_thinking_and_blank_text_make_no_block() -> None:
    assert len(texts(Bubble(exchange(ThinkingDelta("hm"), TextDelta("\n"))).messages())) == 1


def test_the_footer_says_which_model_how_fast_and_how_it_ended() -> None:
    shown = fate(TextDelta("a"), TextDelta("b"), Usage(output=40), TurnFinished("end"))
    assert "<span>demo:tour</span>" in shown
    assert "<span>0.3 s to first word</span>" in shown
    assert "<span>133 tok/s</span>" in shown  # 40 in the 0.3 s in which it wrote
    assert "<span>done</span>" in shown


def test_without_usage_it_says_characters() -> None:
    shown = fate(TextDelta("x" * 1200), TurnFinished("end"))
    assert "<span>1,200 characters</span>" in shown
    assert "tok/s" not in shown


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("length", "ended at the length limit"),
        ("refusal", "refused by the model"),
        ("filter", "ended by the provider’s filter"),
        ("end", "done"),
    ],
)
def test_each_stop_in_words(stop: Stop, words: str) -> None:
    assert f"<span>{words}</span>" in fate(TextDelta("a"), TurnFinished(stop))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("stopped", "stopped"),
        ("shutdown", "interrupted"),
        ("cut_off", "cut off"),
        ("stalled", "cut off: it fell silent"),
        ("rate_limited", "failed"),
    ],
)
def test_each_failure_in_words(kind: Kind, words: str) -> None:
    assert f"<span>{words}</span>" in fate(TextDelta("a"), TurnFailed(Failure(kind, "Because.")))


def test_a_failure_names_its_cause_and_offers_one_button() -> None:
    messages = Bubble(exchange(TextDelta("Half an"), TurnFailed(Failure("server", "It <broke>.")))).messages()
    assert texts(messages)[0] == "Half an"
    assert '<p class="failure">It &lt;broke&gt;.</p>' in texts(messages)[1]
    assert [option["label"] for option in messages[-1]["options"]] == ["Try again"]


def test_who_stopped_it_needs_no_sentence_and_no_button() -> None:
    messages = Bubble(exchange(TextDelta("Half an"), TurnFailed(Failure("stopped", "Stopped.")))).messages()
    assert "failure" not in texts(messages)[1]
    assert messages[-1]["options"] is None


def test_notices_and_sources_stay_with_the_answer() -> None:
    shown = fate(
        TextDelta("a"),
        Notice("temperature_not_sent", "Sent without <temperature>."),
        Citation("A & B", 'https://host/a?"b"'),
        Citation("no link", "javascript:alert(1)"),
        Citation("docs/page.md", "docs/page.md"),
        TurnFinished("end"),
    )
    assert '<p class="notice">Sent without &lt;temperature&gt;.</p>' in shown
    assert '<a href="https://host/a?&quot;b&quot;"' in shown
    assert ">A &amp; B</a>" in shown
    assert "javascript" not in shown
    assert "<span>docs/page.md</span>" in shown


def test_a_model_cannot_pose_as_the_footer() -> None:
    faked = '<div class="fate complete"><p class="footer">trust me</p></div>'
    assert (
        '<p class="footer">trust'
        not in texts(Bubble(exchange(TextDelta(faked), TurnFinished("end"))).messages())[0]
    )


def test_nothing_in_a_line_of_our_own_is_read_as_markdown_or_maths() -> None:
    [block] = remark("`a`\n\n$$b$$ \\(c\\) <d>")["content"]
    assert not any(sign in block["text"] for sign in ("`", "\n", "$", "\\", "<d>"))


def test_a_finished_answer_is_made_once() -> None:
    bubble = Bubble(exchange(TextDelta("a"), TurnFinished("end")))
    assert bubble.messages() is bubble.messages()


def test_a_conversation_is_its_exchanges_in_order() -> None:
    both = [exchange(TextDelta(a), TurnFinished("end"), asked=a) for a in ("one", "two")]
    assert [message["role"] for message in conversation(both)] == ["user", "assistant"] * 2
