"""Given an answer that was cut off and the question for its rest, each protocol's body is one that is taken.

The rules: the turns alternate and a person has the last word; nothing is blank (Anthropic: "text content
blocks must be non-empty", "must contain non-whitespace text"); and what was said is sent as it was said,
so that a model can go on from its last character.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from chat.conversations import Conversation, Exchange
from chat.errors import Failure
from chat.events import TextDelta, ToolCallStarted, TurnFailed, TurnFinished
from chat.messages import CONTINUE, Assistant, Message, Raw, Request, Text, ToolCall, User
from chat.models import Model
from chat.providers import anthropic_messages, openai_chat, openai_responses
from chat.providers.vendors import Vendor
from chat.transcript import Transcript

VENDOR = Vendor("any", "Any", ("openai_chat",), "http://any/v1")


def chat(request: Request) -> list[dict[str, Any]]:
    return openai_chat.body(request, VENDOR)["messages"]


def responses(request: Request) -> list[dict[str, Any]]:
    return openai_responses.body(request)["input"]


def messages(request: Request) -> list[dict[str, Any]]:
    return anthropic_messages.body(request)["messages"]


Speaks = Callable[[Request], list[dict[str, Any]]]
PROTOCOLS = pytest.mark.parametrize("speaks", [chat, responses, messages])
CUT = pytest.mark.parametrize(
    "said",
    [
        "The rest is",
        "The rest is ",
        "One.\n\n",
        "```python\nx = ",
        "\n\nOne",
        "| a | b |\n|--",
        "½",
        "the\u200b",
        "\t-",
    ],
)


def texts(body: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Role and text of each message, after making sure that all is text and none is blank."""
    found: list[tuple[str, str]] = []
    for message in body:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            assert block["type"] == "text"
            assert block["text"].strip()
        found.append((message["role"], "".join(block["text"] for block in blocks)))
    assert all(one[0] != other[0] for one, other in pairwise(found))
    assert found[0][0] == found[-1][0] == "user"
    return found


def asked(*said: Message) -> Request:
    return Request(Model("any", "m-1"), said)


@PROTOCOLS
@CUT
def test_what_was_said_is_sent_as_it_was_said(said: str, speaks: Speaks) -> None:
    body = speaks(asked(User("Why?"), Assistant((Text(said),)), User(CONTINUE)))
    assert texts(body) == [("user", "Why?"), ("assistant", said), ("user", CONTINUE)]


@PROTOCOLS
@CUT
def test_in_several_pieces(said: str, speaks: Speaks) -> None:
    answer, more = Assistant((Text(said),)), User(CONTINUE)
    body = speaks(asked(User("Why?"), answer, more, answer, more))
    assert [text for _, text in texts(body)] == ["Why?", said, CONTINUE, said, CONTINUE]


@PROTOCOLS
@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t"])
def test_a_blank_part_is_not_sent(blank: str, speaks: Speaks) -> None:
    sealed = Raw({"type": "thinking", "thinking": "So"})  # unsigned: cut off within it
    body = speaks(asked(User("Why?"), Assistant((Text(blank), sealed, Text("Since"))), User(CONTINUE)))
    assert [(role, text.strip()) for role, text in texts(body)][1] == ("assistant", "Since")


@PROTOCOLS
@pytest.mark.parametrize("blank", ["", "\n"])
def test_an_answer_of_nothing_is_not_sent(blank: str, speaks: Speaks) -> None:
    body = speaks(asked(User("Why?"), Assistant((Text(blank),)), User(CONTINUE)))
    assert {message["role"] for message in body} == {"user"}


@PROTOCOLS
def test_a_call_that_was_cut_off_is_not_sent(speaks: Speaks) -> None:
    body = speaks(
        asked(User("Why?"), Assistant((Text("I ask."), ToolCall("c", "clock", '{"zo'))), User(CONTINUE))
    )
    assert [text for _, text in texts(body)] == ["Why?", "I ask.", CONTINUE]


@PROTOCOLS
@pytest.mark.parametrize("kind", ["stopped", "cut_off", "shutdown", None])
def test_a_conversation_as_it_is_kept(kind: Any, speaks: Speaks) -> None:
    """One answer without a word, one cut off in a tool call, its rest cut off again."""
    conversation = Conversation("me")
    for number, (question, said) in enumerate([("Who?", ""), ("Why?", "Since "), (CONTINUE, "it is\n")], 1):
        transcript = Transcript()
        events = [*([TextDelta(said)] if said else []), ToolCallStarted("c", "clock")]
        ending = TurnFailed(Failure(kind, "Over.")) if kind else TurnFinished("length")
        for seq, event in enumerate([*events, ending], 1):
            transcript.add(seq, 0.1, event)
        conversation.exchanges.append(Exchange(question, f"run{number}", transcript))
    body = speaks(asked(*conversation.messages(), User(CONTINUE)))
    assert [text for _, text in texts(body)] == ["Why?", "Since ", CONTINUE, "it is\n", CONTINUE]
