"""Given a vendor that fails at first, these attempts are made, and these are seen."""

import asyncio

import pytest

from chat.attempts import attempts
from chat.errors import (
    Auth,
    BadRequest,
    CutOff,
    Fault,
    Overloaded,
    RateLimited,
    Refused,
    Server,
    Stalled,
    Unreachable,
)
from chat.events import Notice, ReplyEvent, ReplyFinished, Retrying, TextDelta, ThinkingDelta, Usage
from chat.messages import Request
from chat.models import Model
from chat.settings import Deadlines
from tests.scripted import Scripted, says

MODEL = Model("acme", "one")


class Memory:
    def __init__(self, *known: str) -> None:
        self.known = set(known)

    def refused(self, model: Model) -> frozenset[str]:
        return frozenset(self.known)

    def refuse(self, model: Model, parameter: str) -> None:
        self.known.add(parameter)


async def reply(
    vendor: Scripted, memory: Memory | None = None
) -> tuple[list[ReplyEvent | Retrying], list[float]]:
    """The events of a reply, and the seconds that were waited between attempts."""
    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    until = asyncio.get_running_loop().time() + 60
    asked = attempts(vendor, Request(MODEL, ()), Deadlines(), until, memory or Memory(), sleep)
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
