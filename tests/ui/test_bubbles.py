"""Given these events, the chat shows these messages."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversations import Conversation, Exchange, Link
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
from chat.messages import CONTINUE, Options
from chat.transcript import Transcript
from chat.ui.bubbles import Bubble, conversation, question, remark

BEGIN: list[Event] = [TurnStarted("demo:tour", {}), RequestSent("", {}), ResponseOpened(200)]


def exchange(*events: Event, asked: str = "Why?", step: float = 0.1) -> Exchange:
    transcript = Transcript()
    for n, event in enumerate([*BEGIN, *events]):
        transcript.add(n + 1, n * step, event)
    return Exchange(asked, "r1", transcript)


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """The blocks of the answer, without the element that each stands in."""
    return [bare(block["text"]) for block in messages[-1]["content"]]


def bare(block: str) -> str:
    return re.sub(r'^<div class="(?:said">|prose">(.*)</div>$)', r"\1", block, flags=re.DOTALL)


def buttons(messages: list[dict[str, Any]]) -> list[str]:
    """Below the last answer, those that begin another one."""
    return re.findall(r'<button class="act (?:again|continue) [^>]*>([^<]+)<', texts(messages)[-1])


def chat(count: int) -> Conversation:
    found = Conversation("me")
    for n in range(count):
        each = exchange(TextDelta("a"), TurnFinished("end"), asked=f"one {n}")
        each.run = f"r{n}"
        each.versions[:] = [each.run]
        found.exchanges.append(each)
    return found


def fate(*events: Event) -> str:
    return texts(Bubble([exchange(*events)]).messages())[-1]


def test_a_question_is_shown_as_it_was_typed() -> None:
    [text] = texts([question("a *b*\n\n<c> $x$ \\(")])
    assert text == '<div class="asked">a *b*<br><br>&lt;c&gt; &#36;x&#36; &#92;(</div>'


def test_an_answer_grows_block_by_block() -> None:
    running = exchange(TextDelta("One "))
    bubble = Bubble([running])
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
    bubble = Bubble([exchange(TextDelta("One two three"), TurnFinished("end"))])
    assert texts(bubble.messages(7)) == ["One two", '<div class="now over run-r1">Writing</div>']
    assert texts(bubble.messages(13))[0] == "One two three"
    assert 'class="fate' in texts(bubble.messages(13))[1]


def test_thinking_and_blank_text_make_no_block() -> None:
    assert len(texts(Bubble([exchange(ThinkingDelta("hm"), TextDelta("\n"))]).messages())) == 1


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


def test_a_failure_names_its_cause_and_the_next_steps() -> None:
    messages = Bubble(
        [exchange(TextDelta("Half an"), TurnFailed(Failure("server", "It <broke>.")))]
    ).messages()
    assert texts(messages)[0] == "Half an"
    assert '<p class="failure">It &lt;broke&gt;.</p>' in texts(messages)[1]
    assert buttons(messages) == ["Continue", "Try again"]


def test_who_stopped_it_needs_no_sentence() -> None:
    messages = Bubble([exchange(TextDelta("Half an"), TurnFailed(Failure("stopped", "Stopped.")))]).messages()
    assert "failure" not in texts(messages)[1]
    assert buttons(messages) == ["Continue", "Try again"]


@pytest.mark.parametrize(
    ("end", "offered"),
    [
        (TurnFinished("end"), ["Try again"]),
        (TurnFinished("length"), ["Continue", "Try again"]),
        (TurnFailed(Failure("shutdown", "Interrupted.")), ["Continue", "Try again"]),
        (TurnFailed(Failure("cut_off", "Cut off.")), ["Continue", "Try again"]),
    ],
)
def test_an_answer_that_was_left_off_can_be_continued(end: Event, offered: list[str]) -> None:
    assert buttons(Bubble([exchange(TextDelta("Half an"), end)]).messages()) == offered


def test_what_has_no_words_cannot_be_continued() -> None:
    failed = TurnFailed(Failure("server", "It broke."))
    assert buttons(Bubble([exchange(TextDelta("\n"), failed)]).messages()) == ["Try again"]


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
    assert '<a href="https://host/a?%22b%22"' in shown
    assert ">A &amp; B</a>" in shown
    assert "javascript" not in shown
    assert "<span>docs/page.md</span>" in shown


@given(st.lists(st.sampled_from(["\n", "\n\n", "\r", "\t", "\x85", "\u2028", "\ud800", *"a<>\"'`\\$[]()!&"])))
def test_no_address_ends_its_attribute_or_its_line(parts: list[str]) -> None:
    url = "https://host/x" + "".join(parts) + "![x](chat?q=1)\n\n$$ &quot; \\( é"
    shown = fate(TextDelta("a"), Citation("A", url), TurnFinished("end"))
    [(address, rest)] = re.findall(r'<a href="([^"]*)"([^>]*)>A</a>', shown)
    assert rest == ' target="_blank" rel="noopener noreferrer"'
    assert address.startswith("https://host/x")
    assert not re.search(r"[\s\x00-\x20<>'`\\$]|&(?!amp;)", address)
    assert len(shown.splitlines()) == 1


def test_what_has_no_host_is_no_link() -> None:
    shown = fate(TextDelta("a"), Citation("A", "http:\n//\n"), Citation("B", "http://["), TurnFinished("end"))
    assert "<a " not in shown
    assert "\n" not in shown


def test_a_model_cannot_pose_as_the_footer() -> None:
    faked = '<div class="fate complete"><p class="footer">trust me</p></div>'
    assert (
        '<p class="footer">trust'
        not in texts(Bubble([exchange(TextDelta(faked), TurnFinished("end"))]).messages())[0]
    )


def test_nothing_in_a_line_of_our_own_is_read_as_markdown_or_maths() -> None:
    [block] = remark("`a`\n\n$$b$$ \\(c\\) <d>")["content"]
    assert not any(sign in block["text"] for sign in ("`", "\n", "$", "\\", "<d>"))


def test_a_finished_answer_is_made_once() -> None:
    bubble = Bubble([exchange(TextDelta("a"), TurnFinished("end"))])
    assert bubble.messages() is bubble.messages()


def test_a_conversation_is_its_exchanges_in_order() -> None:
    messages = conversation(chat(2))
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2
    assert "one 1" in messages[2]["content"][0]["text"]


def test_only_the_last_answer_is_asked_again() -> None:
    messages = conversation(chat(2))
    assert buttons(messages[:2]) == []
    assert buttons(messages) == ["Try again"]


def test_of_a_long_conversation_the_last_exchanges_are_drawn() -> None:
    messages = conversation(chat(40), 30)
    assert len(messages) == 1 + 2 * 30
    assert "Show earlier messages (20)" in messages[0]["content"][0]["text"]
    assert "one 10<" in messages[1]["content"][0]["text"]


def test_a_branch_says_where_it_began_and_the_question_where_it_went() -> None:
    old, new = chat(2), chat(1)
    new.origin = Link(old.id, "The <old> one", old.exchanges[1].run)
    old.branches.append(Link(new.id, "The new one", old.exchanges[1].run))
    first = conversation(new)[0]["content"][0]["text"]
    assert "Began in" in first
    assert "“The &lt;old&gt; one”" in first
    assert f"chat-{old.id}" in first
    there = [message for message in conversation(old) if "Edited in" in message["content"][-1]["text"]]
    assert there == [conversation(old)[2]]
    assert f'href="?chat={new.id}"' in there[0]["content"][-1]["text"]


STOPPED = TurnFailed(Failure("stopped", "Stopped."))


def rest(*events: Event, run: str = "r2") -> Exchange:
    found = exchange(*events, asked=CONTINUE)
    found.run, found.versions[:], found.continues = run, [run], True
    return found


def test_the_rest_of_an_answer_is_one_text_with_it_as_it_arrived() -> None:
    left = exchange(TextDelta("| a | b |\n|---|---|\n| 1 | t"), STOPPED)
    both = Bubble([left, rest(TextDelta("wo |\n| 3 | four |"), TurnFinished("end"))])
    [asked, answer] = both.messages()
    assert texts([asked])[0] == '<div class="asked">Why?</div>'
    assert texts([answer])[0] == "| a | b |\n|---|---|\n| 1 | two |\n| 3 | four |"
    assert len(answer["content"]) == 2


def test_where_it_was_left_off_stands_in_one_line_before_the_end() -> None:
    left = exchange(TextDelta("Half an"), Notice("n", "Sent without it."), STOPPED)
    left.versions[:] = ["r0", "r1"]
    shown = texts(Bubble([left, rest(TextDelta(" answer"), TurnFinished("end"))]).messages())[-1]
    seam, _, fate = shown.partition("</div>")
    assert seam.startswith('<div class="seam run-r1">')
    assert re.findall(r"<span>([^<]+)</span>", seam) == [
        "demo:tour",
        "stopped after 7 characters",
        "continued with demo:tour",
        "2 / 2",
    ]
    assert fate.startswith('<div class="fate complete run-r2')
    assert "Sent without it." in fate
    assert "\n" not in shown


def test_until_the_rest_has_a_word_all_stands_as_it_was() -> None:
    left = exchange(TextDelta("costs \\(x"), STOPPED)
    before = texts(Bubble([left]).messages())[0]
    going = rest(ThinkingDelta("Hm."))
    bubble = Bubble([left, going])
    assert texts(bubble.messages()) == [before, '<div class="now thinking run-r2">Thinking</div>']
    going.transcript.add(9, 0.9, TextDelta("^2\\)"))
    assert texts(bubble.messages())[0] == "costs \\(x^2\\)"
    assert texts(Bubble([left, rest(TurnFailed(Failure("server", "No.")))]).messages())[0] == before


def test_several_rests_in_a_row_are_one_text_and_only_the_last_is_gone_on_from() -> None:
    parts = [
        exchange(TextDelta("```py\na"), STOPPED),
        rest(TextDelta(" = 1\nb"), TurnFinished("length")),
        rest(TextDelta(" = 2\n"), TurnFinished("length"), run="r3"),
    ]
    messages = Bubble(parts).messages()
    assert texts(messages)[0] == "```py\na = 1\nb = 2\n"
    assert texts(messages)[-1].count('class="seam') == 2
    assert buttons(messages) == ["Continue", "Try again"]
    assert "act continue of-r3" in texts(messages)[-1]


def test_what_was_left_off_in_a_tool_goes_on_in_a_text_of_its_own() -> None:
    left = exchange(TextDelta("I look."), ToolCallStarted("c", "calculate"), STOPPED)
    found = texts(Bubble([left, rest(TextDelta("It is 84."), TurnFinished("end"))]).messages())
    assert found[:2] == ["I look.", "It is 84."]


def test_the_rest_is_shown_as_fast_as_the_pace_allows() -> None:
    both = Bubble([exchange(TextDelta("One"), STOPPED), rest(TextDelta(" two three"), TurnFinished("end"))])
    assert texts(both.messages(4))[0] == "One two"
    assert texts(both.messages(10))[0] == "One two three"


def test_no_answer_is_shown_without_its_question() -> None:
    long = chat(40)
    long.exchanges[10:12] = [rest(TextDelta("b"), TurnFinished("length"), run=f"c{n}") for n in range(2)]
    messages = conversation(long, 29)
    assert "one 9<" in messages[1]["content"][0]["text"]
    assert "Show earlier messages (18)" in messages[0]["content"][0]["text"]
    assert [message["role"] for message in messages[1:]] == ["user", "assistant"] * 29


def test_one_of_several_versions_says_which_and_leads_to_its_neighbours() -> None:
    one = exchange(TextDelta("a"), TurnFinished("end"))
    assert "versions" not in texts(Bubble([one]).messages())[-1]
    one.versions[:] = ["r0", "r1", "r2"]
    shown = texts(Bubble([one]).messages())[-1]
    assert "<span>2 / 3</span>" in shown
    assert "version of-r0" in shown
    assert "version of-r2" in shown


def test_a_thumb_is_shown() -> None:
    one = exchange(TextDelta("a"), TurnFinished("end"))
    assert "chosen" not in texts(Bubble([one]).messages())[-1]
    one.thumb = -1
    assert 'class="act down chosen of-r1"' in texts(Bubble([one]).messages())[-1]


def test_the_footer_says_what_was_set() -> None:
    one = exchange(TextDelta("a"), TurnFinished("end"))
    one.options = Options(temperature=0.3, effort="low")
    shown = texts(Bubble([one]).messages())[-1]
    assert "<span>temperature 0.3</span>" in shown
    assert "<span>effort low</span>" in shown
