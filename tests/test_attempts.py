"""Given a vendor that fails at first, these attempts are made, and these are seen."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.attempts import SHORTENED, attempts
from chat.context import Window, size
from chat.errors import (
    Auth,
    BadRequest,
    CutOff,
    Fault,
    NotFound,
    OtherProtocol,
    OutOfCredit,
    Overloaded,
    RateLimited,
    Refused,
    Server,
    Stalled,
    TooLarge,
    TooLong,
    Unreachable,
)
from chat.events import (
    Notice,
    ReplyEvent,
    ReplyFinished,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Request, Text, User
from chat.models import Model
from chat.providers.vendors import Vendor
from chat.settings import Deadlines
from tests.scripted import Scripted, says

MODEL = Model("acme", "one")


class Memory:
    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.left = set[str]()
        self.found = Window()

    def refused(self, model: Model) -> frozenset[str]:
        return frozenset(self.known)

    def refuse(self, model: Model, parameter: str) -> None:
        self.known.add(parameter)

    def leave(self, model: Model, parameter: str) -> None:
        self.left.add(parameter)

    def window(self, model: Model) -> Window:
        return self.found

    def answered(self, model: Model) -> None:
        pass

    def learn(self, model: Model, window: Window) -> None:
        self.found = window


async def reply(
    vendor: Scripted, memory: Memory | None = None, request: Request | None = None
) -> tuple[list[ReplyEvent | Retrying], list[float]]:
    """The events of a reply, and the seconds that were waited between attempts."""
    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    until = asyncio.get_running_loop().time() + 60
    request = request or Request(MODEL, ())
    asked = attempts(vendor, request, Deadlines(), until, memory or Memory(), sleep)
    return [event async for event in asked], waited


@pytest.mark.parametrize("kind", [RateLimited, Overloaded, Server, Unreachable, CutOff])
async def test_what_may_pass_is_tried_again(kind: type[Fault]) -> None:
    events, waited = await reply(Scripted([[kind("No.")], [kind("No.")], says("Yes.")]))
    assert [type(event) for event in events] == [Retrying, Retrying, TextDelta, ReplyFinished]
    assert 0.4 <= waited[0] <= 0.6
    assert 0.8 <= waited[1] <= 1.2


async def test_at_most_twice() -> None:
    vendor = Scripted([[Server("No.")]] * 5)
    with pytest.raises(Server):
        await reply(vendor)
    assert len(vendor.asked) == 3


@pytest.mark.parametrize("fault", [Auth("No."), BadRequest("No."), Stalled("No.")])
async def test_what_will_not_pass_is_not_tried_again(fault: Fault) -> None:
    vendor = Scripted([[fault], says("Yes.")])
    with pytest.raises(type(fault)):
        await reply(vendor)


async def test_retry_after_is_honoured() -> None:
    events, waited = await reply(Scripted([[RateLimited("Wait.", retry_after=7)], says("Yes.")]))
    assert waited == [7]
    assert events[0] == Retrying(2, 7, "rate_limited", "Wait.")


async def test_an_hour_is_not_waited_for() -> None:
    vendor = Scripted([[RateLimited("Wait.", retry_after=3600)], says("Yes.")])
    with pytest.raises(RateLimited):
        await reply(vendor)


@pytest.mark.parametrize("word", [TextDelta("A"), ThinkingDelta("A")])
async def test_after_the_first_word_a_fault_is_final(word: ReplyEvent) -> None:
    vendor = Scripted([[word, Overloaded("No.")], says("Yes.")])
    with pytest.raises(Overloaded):
        await reply(vendor)
    assert len(vendor.asked) == 1


async def test_figures_are_no_words() -> None:
    events, _ = await reply(Scripted([[Usage(1), Overloaded("No.")], says("Yes.")]))
    assert isinstance(events[-1], ReplyFinished)


async def test_a_refused_parameter_is_left_out_and_remembered() -> None:
    vendor, memory = Scripted([[Refused("No.", parameter="temperature")], says("Yes.")]), Memory()
    events, waited = await reply(vendor, memory)
    assert isinstance(events[0], Notice)
    assert "temperature" in events[0].text
    assert vendor.asked[1].omit == {"temperature"}
    assert memory.known == {"temperature"}
    assert waited == []


async def test_a_refused_value_is_left_out_of_this_turn_alone_and_the_vendors_words_are_told() -> None:
    refused = Refused(
        "one does not take this value of “effort”. Take low.", parameter="effort", lasting=False
    )
    vendor, memory = Scripted([[refused], says("Yes.")]), Memory()
    events, _ = await reply(vendor, memory)
    assert events[0] == Notice("parameter_refused", f"{refused.message} Sent without it.")
    assert vendor.asked[1].omit == {"effort"}
    assert (memory.known, memory.left) == (set(), {"effort"})


async def test_one_after_another_is_healed() -> None:
    refusals = [[Refused("No.", parameter=name)] for name in ("temperature", "stream_options", "reasoning")]
    vendor = Scripted([*refusals, says("Yes.")])
    await reply(vendor)
    assert vendor.asked[-1].omit == {"temperature", "stream_options", "reasoning"}


async def test_the_same_parameter_is_not_healed_twice() -> None:
    vendor = Scripted([[Refused("No.", parameter="temperature")]] * 5)
    with pytest.raises(Refused):
        await reply(vendor)
    assert len(vendor.asked) == 2


async def test_what_is_remembered_is_left_out_at_once() -> None:
    vendor = Scripted([says("Yes.")])
    await reply(vendor, Memory("temperature"))
    assert vendor.asked[0].omit == {"temperature"}


# -- a conversation that is too long ---------------------------------------------------------------


def long(turns: int = 10, max_tokens: int | None = None) -> Request:
    """Of about 1,000 tokens a turn."""
    turn = (User("What? " * 300), Assistant((Text("That. " * 300),)))
    return Request(MODEL, (*(turn * turns), User("And now?")), max_tokens=max_tokens, history=2 * turns)


def kept(vendor: Scripted) -> list[int]:
    """Messages of the history in each request."""
    return [len(request.messages) - 1 for request in vendor.asked]


async def test_what_is_known_not_to_fit_is_left_out_at_once_and_told_with_the_answer() -> None:
    vendor, memory = Scripted([says("Yes.")]), Memory()
    memory.found = Window(8000)
    events, _ = await reply(vendor, memory, long())
    assert [type(event) for event in events] == [Notice, TextDelta, ReplyFinished]
    (left,) = kept(vendor)
    assert 4 <= left < 12
    assert events[0] == Notice(
        "history_left_out",
        f"{20 - left} earlier messages left out: the whole conversation does not fit one, "
        "which takes about 8,000 tokens.",
    )


async def test_a_refusal_is_learned_from_and_a_shorter_history_sent_at_once() -> None:
    vendor, memory = Scripted([[TooLong("No.", limit=8192, sent=9000)], says("Yes.")]), Memory()
    events, waited = await reply(vendor, memory, long())
    assert [type(event) for event in events] == [Retrying, Notice, TextDelta, ReplyFinished]
    assert isinstance(events[0], Retrying)
    assert (events[0].attempt, events[0].delay, events[0].kind) == (2, 0, "too_large")
    assert waited == []
    whole, left = kept(vendor)
    assert whole == 20
    assert 8 <= left < 20
    assert str(20 - left) in repr(events[1])
    assert memory.found.limit == 8192
    again = Scripted([says("Yes.")])
    await reply(again, memory, long())
    assert kept(again) == [left]


async def test_a_model_that_tells_no_limit_is_found_out_step_by_step() -> None:
    vendor = Scripted([*([[TooLong("No.")]] * 3), says("Yes.")])
    events, _ = await reply(vendor, Memory(), long())
    sent = kept(vendor)
    assert sent[0] == 20
    assert all(one > other > 0 for one, other in pairwise(sent))
    assert [event.attempt for event in events if isinstance(event, Retrying)] == [2, 3, 4]
    assert [event.text[:3] for event in events if isinstance(event, Notice)] == [f"{20 - sent[3]} "]


async def test_it_is_made_shorter_a_few_times_only() -> None:
    vendor = Scripted([[TooLong("No.")]] * 20)
    with pytest.raises(TooLong):
        await reply(vendor, Memory(), long(100))
    assert len(vendor.asked) == SHORTENED + 1
    assert kept(vendor)[-1] > 0


@pytest.mark.parametrize("request_", [long(0), long(3, max_tokens=9000)])
async def test_where_nothing_can_be_left_out_the_refusal_stands(request_: Request) -> None:
    vendor = Scripted([[TooLong("Too long, says the vendor.", limit=8192)]] * 5)
    with pytest.raises(TooLong, match="says the vendor"):
        await reply(vendor, Memory(), request_)
    assert len(vendor.asked) == 1


async def test_an_event_that_is_too_large_makes_nothing_shorter() -> None:
    vendor = Scripted([[TooLarge("A huge event.")], says("Yes.")])
    with pytest.raises(TooLarge):
        await reply(vendor, Memory(), long())
    assert len(vendor.asked) == 1


async def test_after_the_first_word_the_length_is_final_too() -> None:
    vendor = Scripted([[TextDelta("A"), TooLong("No.", limit=8192)], says("Yes.")])
    with pytest.raises(TooLong):
        await reply(vendor, Memory(), long())
    assert len(vendor.asked) == 1


async def test_a_refusal_of_each_kind_in_one_reply() -> None:
    vendor = Scripted(
        [
            [Overloaded("Busy.", retry_after=0)],
            [TooLong("No.", limit=8192)],
            [Refused("No.", parameter="temperature")],
            says("Yes."),
        ]
    )
    events, _ = await reply(vendor, Memory(), long())
    assert [event.attempt for event in events if isinstance(event, Retrying)] == [2, 3]
    assert [event.code for event in events if isinstance(event, Notice)] == [
        "parameter_refused",
        "history_left_out",
    ]
    assert vendor.asked[-1].omit == {"temperature"}
    assert kept(vendor)[2] == kept(vendor)[3] < 20


async def test_what_the_vendor_counts_makes_the_next_estimate_better() -> None:
    memory = Memory()
    memory.found = Window(8000)
    await reply(Scripted([[TextDelta("A"), ReplyFinished("end", Usage(2700))]]), memory, long(4))
    assert memory.found.limit == 8000
    assert memory.found.ratio < 0.7
    vendor = Scripted([says("Yes.")])
    await reply(vendor, memory, long())
    assert kept(vendor)[0] > 12


async def test_what_the_vendors_own_tools_read_is_not_counted() -> None:
    memory = Memory()
    search = [
        ToolCallStarted("s", "web_search", "provider"),
        TextDelta("A"),
        ReplyFinished("end", Usage(9000)),
    ]
    await reply(Scripted([search]), memory, long(4))
    assert memory.found == Window()


class Narrow:
    """A vendor with a window, that counts in its own way and tells as much of it as it likes."""

    vendor = Vendor("acme", "Acme", ("openai_chat",), "http://acme/v1")

    def __init__(self, limit: int, ratio: float, tells: str) -> None:
        self.limit, self.ratio, self.tells = limit, ratio, tells
        self.asked: list[Request] = []

    def count(self, request: Request) -> int:
        return int(size(request) * self.ratio)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        self.asked.append(request)
        sent = self.count(request)
        if sent + (request.max_tokens or 0) > self.limit:
            raise TooLong(
                "No.",
                limit=self.limit if "limit" in self.tells else None,
                sent=sent if "sent" in self.tells else None,
            )
        yield TextDelta("Yes.")
        yield ReplyFinished("end", Usage(sent) if "usage" in self.tells else None)

    async def models(self) -> list[Model]:
        return []


@given(
    st.integers(1, 30),
    st.integers(600, 40_000),
    st.floats(0.5, 2.4),
    st.sampled_from(["", "usage", "limit", "limit usage", "limit sent", "limit sent usage"]),
    st.none() | st.integers(1, 2000),
)
async def test_whatever_the_vendor_counts_it_ends_with_an_answer_where_there_can_be_one(
    turns: int, limit: int, ratio: float, tells: str, max_tokens: int | None
) -> None:
    vendor, memory = Narrow(limit, ratio, tells), Memory()
    until = asyncio.get_running_loop().time() + 60
    for number in (turns, turns + 1, turns + 2):
        request, before = long(number, max_tokens), len(vendor.asked)
        try:
            events = [e async for e in attempts(vendor, request, Deadlines(), until, memory)]
        except TooLong:
            # The question alone is too long, or nothing was told and it takes more steps than are allowed.
            alone = replace(request, messages=request.messages[-1:], history=0)
            assert vendor.count(alone) + (max_tokens or 0) > limit * 0.7 or "limit" not in tells
            continue
        tries = len(vendor.asked) - before
        assert tries <= (2 if "sent" in tells else SHORTENED + 1)
        left = 2 * number - vendor.asked[-1].history
        notices = [event.text for event in events if isinstance(event, Notice)]
        assert [text.partition(" ")[0] for text in notices] == [str(left)] * (left > 0)
        assert sum(isinstance(event, Retrying) for event in events) == tries - 1


async def test_a_system_prompt_that_is_not_taken_goes_with_the_first_question() -> None:
    vendor, memory = Scripted([[Refused("No.", parameter="system")], says("Yes.")]), Memory()
    said = (User("One?"), Assistant((Text("1"),)), User("Two?"))
    asked = Request(MODEL, said, system="Be brief.", history=2)
    events, _ = await reply(vendor, memory, asked)
    notice = events[0]
    assert isinstance(notice, Notice)
    assert "before the first question" in notice.text
    assert vendor.asked[1].system is None
    assert vendor.asked[1].messages == (User("Be brief.\n\nOne?"), *asked.messages[1:])
    again = Scripted([says("Yes.")])
    await reply(again, memory, asked)
    assert again.asked[0].messages[0] == User("Be brief.\n\nOne?")
    with pytest.raises(Refused):
        await reply(Scripted([[Refused("No.", parameter="system")]] * 3), memory, asked)


async def test_a_system_prompt_that_one_request_may_not_have_is_not_moved_for_others() -> None:
    refused = Refused("No system prompt when thinking.", parameter="system", lasting=False)
    vendor, memory = Scripted([[refused], says("Yes.")]), Memory()
    events, _ = await reply(vendor, memory, Request(MODEL, (User("One?"),), system="Be brief."))
    assert isinstance(events[0], Notice)
    assert events[0].text == "one takes no system prompt: it was put before the first question."
    assert vendor.asked[1].messages == (User("Be brief.\n\nOne?"),)
    assert (memory.known, memory.left) == (set(), {"system"})


async def test_a_system_prompt_stays_when_the_oldest_turns_go() -> None:
    memory = Memory("system")
    memory.found = Window(3000)
    asked = replace(long(12), system="Be brief.")
    vendor = Scripted([says("Yes.")])
    await reply(vendor, memory, asked)
    (sent,) = vendor.asked
    assert len(sent.messages) < len(asked.messages)
    assert isinstance(sent.messages[0], User)
    assert sent.messages[0].text.startswith("Be brief.\n\n")


async def test_roles_are_put_in_turn_where_a_model_wants_it() -> None:
    vendor = Scripted([[Refused("No.", parameter="roles")], says("Yes.")])
    said = (User("One?"), User("Two?"), Assistant((Text("2"),)), Assistant((Text("3"),)), User("Four?"))
    await reply(vendor, None, Request(MODEL, said, history=4))
    first, answer, last = vendor.asked[1].messages
    assert first == User("One?\n\nTwo?")
    assert isinstance(answer, Assistant)
    assert answer.text == "2\n\n3"
    assert last == User("Four?")


@pytest.mark.parametrize("fault", [OutOfCredit("No."), OtherProtocol("No."), NotFound("No.")])
async def test_what_waiting_does_not_help_is_asked_once(fault: Fault) -> None:
    vendor = Scripted([[fault], says("Yes.")])
    with pytest.raises(type(fault)):
        await reply(vendor)


CHAT = Vendor("acme", "Acme", ("openai_chat", "openai_responses"), "http://acme/v1", speaks="openai_chat")
BOTH = replace(CHAT, speaks="openai_responses"), CHAT


async def both(first: Scripted, other: Scripted, memory: Memory) -> list[ReplyEvent | Retrying]:
    until = asyncio.get_running_loop().time() + 60
    asked = attempts(first, Request(MODEL, ()), Deadlines(), until, memory, other=other)
    return [event async for event in asked]


async def test_the_other_protocol_is_asked_and_remembered() -> None:
    memory, (responses, chat) = Memory(), BOTH
    first, other = Scripted([[OtherProtocol("No.")]], responses), Scripted([says("Yes.")] * 2, chat)
    notice, *events = await both(first, other, memory)
    assert isinstance(notice, Notice)
    assert "Chat Completions" in notice.text
    assert [type(event) for event in events] == [TextDelta, ReplyFinished]
    events = await both(first, other, memory)
    assert len(first.asked) == 1
    assert [type(event) for event in events] == [TextDelta, ReplyFinished]
    turned = await both(Scripted([says("Yes.")], chat), Scripted([], responses), memory)
    assert isinstance(turned[-1], ReplyFinished)  # asked in the right one, nothing is turned round


async def test_a_protocol_that_does_not_take_what_one_asker_wants_is_asked_again_by_the_next() -> None:
    memory, (responses, chat) = Memory(), BOTH
    refused = OtherProtocol("No tools with reasoning here.", lasting=False)
    await both(Scripted([[refused]], responses), Scripted([says("Yes.")], chat), memory)
    assert memory.known == set()
    assert memory.left == {"protocol openai_responses"}


async def test_where_neither_protocol_is_there_the_first_refusal_is_told() -> None:
    memory, (responses, chat) = Memory(), BOTH
    with pytest.raises(OtherProtocol, match="First"):
        await both(
            Scripted([[OtherProtocol("First.")]], responses), Scripted([[NotFound("Second.")]], chat), memory
        )
    assert not memory.known
