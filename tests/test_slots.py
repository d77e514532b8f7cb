"""Who may have an answer written now, and who comes next: given these tickets, these places."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat import slots
from chat.errors import RateLimited
from chat.slots import Slots, Ticket


def test_with_a_free_slot_nobody_waits() -> None:
    limits = Slots(2, 3)
    assert [limits.join("ann").place, limits.join("ann").place, limits.join("bob").place] == [None] * 3
    assert (limits.held, limits.waiting) == (3, 0)


def test_of_one_owner_the_first_to_come_is_the_first_to_go() -> None:
    limits = Slots(1, 9)
    first, second, third = (limits.join("ann") for _ in range(3))
    assert [first.place, second.place, third.place] == [None, 0, 1]
    first.leave()
    assert [second.place, third.place] == [None, 0]


def test_ones_own_limit_holds_up_nobody_else() -> None:
    limits = Slots(1, 9)
    tickets = [limits.join(owner) for owner in ("ann", "ann", "ann", "bob", "bob")]
    assert [ticket.place for ticket in tickets] == [None, 0, 1, None, 0]


def test_who_asks_much_delays_anothers_first_question_by_one_place() -> None:
    limits = Slots(9, 1)
    running = limits.join("ann")
    crowd = [limits.join("ann") for _ in range(slots.WAITING_EACH)]
    bob, eve = [limits.join("bob") for _ in range(2)], limits.join("eve")
    assert [ticket.place for ticket in (*crowd[:4], *bob, eve)] == [0, 3, 5, 6, 1, 4, 2]
    for next_one in (crowd[0], bob[0], eve, crowd[1], bob[1], crowd[2]):
        running.leave()
        assert next_one.place is None
        running = next_one


def test_a_ticket_given_back_twice_frees_one_slot() -> None:
    limits = Slots(9, 1)
    first, second, third = (limits.join("ann") for _ in range(3))
    first.leave()
    first.leave()
    assert [second.place, third.place] == [None, 0]


def test_who_gives_up_waiting_lets_the_others_move_up() -> None:
    limits = Slots(9, 1)
    tickets = [limits.join(owner) for owner in ("ann", "bob", "eve")]
    tickets[1].leave()
    assert tickets[2].place == 0
    assert limits.waiting == 1


def test_too_many_questions_of_one_owner_are_turned_away() -> None:
    limits = Slots(1, 9)
    for _ in range(1 + slots.WAITING_EACH):
        limits.join("ann")
    with pytest.raises(RateLimited, match="waiting already"):
        limits.join("ann")
    assert limits.waiting == slots.WAITING_EACH
    assert limits.join("bob").place is None


def test_too_many_questions_in_all_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAITING", 3)
    limits = Slots(1, 1)
    for number in range(4):
        limits.join(f"stranger {number}")
    with pytest.raises(RateLimited, match="Too many"):
        limits.join("another")


def test_who_comes_from_one_network_with_many_names_leaves_slots_for_others() -> None:
    limits = Slots(2, 6, 3)
    crowd = [limits.join(f"stranger {n}", "there") for n in range(8)]
    assert [ticket.place for ticket in crowd] == [None] * 3 + [0, 1, 2, 3, 4]
    others = [limits.join("ann", "here"), limits.join("bob")]
    assert [ticket.place for ticket in others] == [None, None]
    crowd[0].leave()
    assert [ticket.place for ticket in crowd[1:]] == [None] * 3 + [0, 1, 2, 3]
    others[0].leave()
    assert crowd[4].place == 0, "a slot came free, and not for that network"
    assert limits.held == 4


def test_people_who_are_known_are_not_held_up_by_where_they_come_from() -> None:
    limits = Slots(1, 9, 1)
    assert [limits.join(f"{n}").place for n in range(5)] == [None] * 5


def test_without_a_share_a_network_may_have_all_slots() -> None:
    limits = Slots(4, 200)
    assert [limits.join(f"{n}", "there").place for n in range(200)] == [None] * 200
    assert all(limits.join(f"{n} more", "there").place == n for n in range(slots.WAITING_NETWORK + 20))


def test_one_network_cannot_fill_the_queue() -> None:
    limits = Slots(1, 9, 1)
    for n in range(1 + slots.WAITING_NETWORK):
        limits.join(f"stranger {n}", "there")
    with pytest.raises(RateLimited, match="Too many"):
        limits.join("one more", "there")
    assert limits.join("ann", "here").place is None
    assert limits.join("bob", "here").place == 0


def test_in_a_full_house_the_places_of_all_are_one_line() -> None:
    limits = Slots(9, 2, 1)
    held = [limits.join("ann", "there"), limits.join("bob", "here")]
    waiting = [limits.join(*who) for who in (("eve", "there"), ("dan", "here"), ("joe", "third"))]
    assert [ticket.place for ticket in waiting] == [0, 1, 2]
    held[1].leave()  # the next one who may: «there» has its share
    assert [ticket.place for ticket in waiting] == [0, None, 1]


async def test_a_ticket_tells_each_place_once_and_ends_with_its_slot() -> None:
    limits = Slots(9, 1)
    tickets = [limits.join(owner) for owner in ("ann", "bob", "eve", "dan")]
    told: list[int] = []

    async def wait() -> None:
        told.extend([place async for place in tickets[3]])

    waiting = asyncio.create_task(wait())
    for ticket in tickets[:3]:
        await asyncio.sleep(0)
        ticket.leave()
    await waiting
    assert told == [2, 1, 0]


async def test_a_slot_at_once_tells_nothing() -> None:
    assert [place async for place in Slots(1, 1).join("ann")] == []


STRANGERS = "abc"
"""Owners who come from one network."""


class Crowd(RuleBasedStateMachine):
    """Owners come and go in any order, against the promises of the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.total, self.share = 2, 3, 2
        self.limits = Slots(self.each, self.total, self.share)
        self.held: list[Ticket] = []
        self.queue: list[Ticket] = []
        self.overtaken: dict[Ticket, Counter[str]] = {}

    @rule(owner=st.sampled_from("abcde"))
    def join(self, owner: str) -> None:
        if sum(each.owner == owner for each in self.queue) < slots.WAITING_EACH:
            ticket = self.limits.join(owner, "there" if owner in STRANGERS else "")
            self.queue.append(ticket)
            self.overtaken[ticket] = Counter()
            self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.held))
        self.held.remove(ticket)
        ticket.leave()
        self.settle()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.queue))
        self.queue.remove(ticket)
        ticket.leave()
        self.settle()

    def settle(self) -> None:
        """Moves to `held` who has a slot now, and counts whom they overtook."""
        served = [ticket for ticket in self.queue if ticket.place is None]
        for ticket in served:
            mine = [each for each in self.queue if each.owner == ticket.owner]
            assert mine[0] is ticket, "of one owner, the first to come is the first to go"
            self.queue.remove(ticket)
            self.held.append(ticket)
            for other in self.heads():
                if not self.capped(other.owner):
                    self.overtaken[other][ticket.owner] += 1

    def heads(self) -> list[Ticket]:
        first: dict[str, Ticket] = {}
        for ticket in self.queue:
            first.setdefault(ticket.owner, ticket)
        return list(first.values())

    def capped(self, owner: str) -> bool:
        theirs = sum(each.owner in STRANGERS for each in self.held)
        crowded = owner in STRANGERS and theirs >= self.share
        return crowded or sum(each.owner == owner for each in self.held) >= self.each

    @invariant()
    def limits_hold(self) -> None:
        assert self.limits.held == len(self.held) <= self.total
        assert self.limits.waiting == len(self.queue)
        assert max(Counter(ticket.owner for ticket in self.held).values(), default=0) <= self.each
        assert sum(ticket.owner in STRANGERS for ticket in self.held) <= self.share

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        if len(self.held) < self.total:
            assert all(self.capped(ticket.owner) for ticket in self.queue)

    @invariant()
    def nobody_is_overtaken_twice_by_the_same(self) -> None:
        for ticket in self.heads():
            assert max(self.overtaken[ticket].values(), default=0) <= 1

    @invariant()
    def places_are_those_of_a_line(self) -> None:
        places = sorted(ticket.place for ticket in self.queue if ticket.place is not None)
        if len(self.held) == self.total:
            assert places == list(range(len(self.queue)))

    def teardown(self) -> None:
        for ticket in (*self.queue, *self.held):
            ticket.leave()
        assert self.limits.held == self.limits.waiting == 0
        assert all(self.limits.join(f"{n}").place is None for n in range(self.total)), "a slot was lost"


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(stateful_step_count=60)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_an_owners_next_place_never_grows(steps: list[tuple[str, bool]]) -> None:
    """Whoever comes later stands behind the first question of everybody who waits."""
    limits = Slots(99, 1)
    running = limits.join("z")
    mine = limits.join("me")
    places = [mine.place]
    line: list[Ticket] = []
    for owner, ends in steps:
        if sum(each.owner == owner and each.place is not None for each in line) < slots.WAITING_EACH:
            line.append(limits.join(owner))
        if ends and mine.place is not None:
            running.leave()
            running = next((each for each in (mine, *line) if each.place is None), running)
            line = [each for each in line if each.place is not None]
        places.append(mine.place)
    known = [place for place in places if place is not None]
    assert known == sorted(known, reverse=True)
