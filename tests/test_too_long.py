"""A conversation longer than the model's context, through the real SDK clients, in the three protocols.

Given this window of `tests.upstream`: the oldest turns are left out, a person is told, and the next
question knows.
"""

from collections.abc import AsyncIterator

import pytest

from chat.build import App, open_app
from chat.conversations import Conversation
from chat.events import RequestSent, Retrying
from chat.messages import Assistant, Message, Options, Text, Turn, User
from chat.runs import Run
from tests.test_faults import PROTOCOLS, settings
from tests.upstream import Upstream
from tests.upstream.play import Recorded

pytestmark = pytest.mark.usefixtures("sdks")


@pytest.fixture
async def app(upstream: Upstream) -> AsyncIterator[App]:
    async with open_app(settings(upstream)) as app:
        yield app


def long(turns: int) -> tuple[Message, ...]:
    """Of about 1,000 tokens a turn, as the upstream counts."""
    return tuple(
        message
        for number in range(1, turns + 1)
        for message in (
            User(f"Q{number} " + "what? " * 330),
            Assistant((Text(f"A{number} " + "that. " * 330),)),
        )
    )


async def ask(app: App, protocol: str, scenario: str, turns: int = 10, question: str = "And now?") -> Run:
    model = f"{PROTOCOLS[protocol]}:{scenario}"
    run = app.runs.start(Turn(question, Options(model=model, system="Be brief."), long(turns)))
    await run.finished()
    return run


def sent(request: Recorded) -> list[dict[str, object]]:
    """The messages of a request, without a system prompt among them."""
    said = request.body.get("messages") or request.body.get("input")
    return [message for message in said if message["role"] != "system"]


def notices(run: Run) -> list[str]:
    return [notice.text for notice in run.transcript.notices if notice.code == "history_left_out"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("window", ["window-5000", "unsaid-5000"])
async def test_it_is_refused_once_or_a_few_times_and_then_answered(
    window: str, protocol: str, app: App, upstream: Upstream
) -> None:
    run = await ask(app, protocol, f"{window}+text-5")
    assert (run.state, run.transcript.text) == ("complete", "tok1 tok2 tok3 tok4 tok5 "), (
        run.transcript.failure
    )
    retries = [entry.event for entry in run.entries if isinstance(entry.event, Retrying)]
    assert {retry.kind for retry in retries} == {"too_large"}
    assert (
        len(retries)
        == len(upstream.replies) - 1
        <= (1 if "window" in window and protocol != "responses" else 3)
    )
    shown = [entry.event for entry in run.entries if isinstance(entry.event, RequestSent)]
    assert len(shown) == len(upstream.replies)
    *refused, answered = upstream.replies
    assert len(sent(refused[0])) == 21
    left = 21 - len(sent(answered))
    assert 0 < left < 20
    assert [notice.partition(" ")[0] for notice in notices(run)] == [str(left)]
    first, *_, last = map(repr, sent(answered))
    assert f"Q{left // 2 + 1} what?" in first
    assert "And now?" in last
    assert "Be brief." in repr(answered.body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_next_question_knows(protocol: str, app: App, upstream: Upstream) -> None:
    await ask(app, protocol, "window-5000+text-5")
    before = len(upstream.replies)
    run = await ask(app, protocol, "window-5000+text-5", 11)
    assert run.state == "complete"
    assert len(upstream.replies) == before + 1
    assert len(notices(run)) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_question_that_does_not_fit_alone_fails_in_the_vendors_words(
    protocol: str, app: App, upstream: Upstream
) -> None:
    run = await ask(app, protocol, "window-500+text-5", 2, "Why? " * 2000)
    assert run.transcript.failure is not None
    assert (run.transcript.failure.kind, run.transcript.failure.status) == ("too_large", 400)
    assert "says: “" in run.transcript.failure.message
    assert notices(run) == []
    assert len(sent(upstream.replies[-1])) == 1
    assert len(upstream.replies) <= 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_rounds_of_a_turn_are_shortened_alike_and_not_told_of_twice(
    protocol: str, app: App, upstream: Upstream
) -> None:
    model = f"{PROTOCOLS[protocol]}:window-5000+tools-2+text-5"
    options = Options(model=model, tools=("calculate", "current_time"))
    run = app.runs.start(Turn("And now?", options, long(10)))
    await run.finished()
    assert run.state == "complete", run.transcript.failure
    assert len(notices(run)) == len({*notices(run)}) <= 2
    assert "42" in repr(upstream.replies[-1].body)


async def test_a_conversation_that_grows_is_answered_to_its_end(app: App, upstream: Upstream) -> None:
    """Forty questions of one conversation, through the store: refused but once, and told each time since."""
    conversation = Conversation("me")
    options = Options(model=f"{PROTOCOLS['chat']}:window-3000+text-400")
    for number in range(1, 41):
        run = await app.runs.ask(conversation, f"Question {number}?", options)
        await run.finished()
        assert run.state == "complete", run.transcript.failure
    assert len(upstream.replies) == 41
    told = [exchange for exchange in conversation.exchanges if exchange.transcript.notices]
    assert told == conversation.exchanges[-len(told) :]
    assert 20 < len(told) < 38
