"""A run lives its own life: readers come late, leave and return, and it ends exactly once."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from chat import slots
from chat.conversations import Conversation
from chat.errors import BadRequest, RateLimited, Shutdown
from chat.events import Entry, Event, TextDelta, TurnFailed, TurnFinished, TurnStarted
from chat.limits import Limits
from chat.messages import CONTINUE, Options, Turn, User
from chat.owners import LOCAL
from chat.quotas import Quotas
from chat.runs import LONGEST, LONGEST_NAME, Run, Runs
from chat.settings import Settings
from chat.slots import Slots
from chat.store import open_store
from tests.waiting import until

Answer = Callable[[Turn], AsyncGenerator[Event, None]]


class Teller:
    """An engine that says what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self.closed = False

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        try:
            yield TurnStarted("acme:one", {})
            while True:
                said = await self.says.get()
                if isinstance(said, BaseException):
                    raise said
                yield said
                if isinstance(said, TurnFinished | TurnFailed):
                    return
        finally:
            self.closed = True

    def say(self, *events: Event | BaseException) -> None:
        for event in events:
            self.says.put_nowait(event)


async def read(run: Run, after: int = 0) -> list[Entry]:
    return [entry async for batch in run.follow(after) for entry in batch]


def terminal(run: Run) -> list[Event]:
    return [entry.event for entry in run.entries if isinstance(entry.event, TurnFinished | TurnFailed)]


DONE = TurnFinished("end")


async def test_entries_are_numbered_from_one_and_timed() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(TextDelta("A"), TextDelta("B"), DONE)
    entries = await read(run)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert run.state == "complete"
    assert run.transcript.text == "AB"


async def test_late_readers_and_those_who_return_miss_nothing() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    async with aclosing(run.follow()) as early:
        teller.say(TextDelta("A"))
        seen: list[Entry] = []
        async for batch in early:
            seen += batch
            if any(entry.event == TextDelta("A") for entry in batch):
                break
    teller.say(TextDelta("B"), DONE)
    seen += await read(run, seen[-1].seq)
    assert seen == list(run.entries) == await read(run)


async def test_a_reader_that_leaves_stops_nothing() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    async with aclosing(run.follow()) as entries:
        await anext(entries)
    teller.say(TextDelta("A"), DONE)
    await run.finished()
    assert run.state == "complete"


async def test_stop_keeps_the_text_and_frees_the_provider() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(TextDelta("A"))
    await run.wait(1)
    run.stop()
    run.stop()
    await run.finished()
    assert teller.closed
    assert run.state == "stopped"
    assert run.transcript.text == "A"
    assert len(terminal(run)) == 1


async def test_stop_before_the_first_step() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    run.stop()
    assert [entry.event for entry in await read(run)] == terminal(run)
    assert run.state == "stopped"


async def test_stop_after_the_end_changes_nothing() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(DONE)
    await run.finished()
    run.stop()
    await asyncio.sleep(0)
    assert terminal(run) == [DONE]


async def test_a_bug_is_logged_and_shown_neutrally(caplog: pytest.LogCaptureFixture) -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(ZeroDivisionError("secret detail"))
    await run.finished()
    assert run.state == "failed"
    assert run.transcript.failure is not None
    assert run.transcript.failure.kind == "bug"
    assert "secret" not in run.transcript.failure.message
    assert "ZeroDivisionError" in caplog.text


async def test_an_engine_that_says_no_end_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async def nothing(turn: Turn) -> AsyncGenerator[Event, None]:
        yield TextDelta("A")

    run = Runs(nothing).start(Turn("?"))
    await run.finished()
    assert run.transcript.failure is not None
    assert run.transcript.failure.kind == "bug"


async def test_shutdown_gives_every_run_its_end() -> None:
    tellers = [Teller() for _ in range(5)]
    runs = Runs(lambda turn: tellers[int(turn.question)].answer(turn))
    started = [runs.start(Turn(str(place))) for place in range(5)]
    readers = [asyncio.create_task(read(run)) for run in started]
    await asyncio.sleep(0)
    await runs.aclose()
    assert [run.state for run in started] == ["interrupted"] * 5
    assert all(len(terminal(run)) == 1 for run in started)
    await asyncio.gather(*readers)
    with pytest.raises(Shutdown):
        runs.start(Turn("0"))


async def test_what_a_person_stopped_is_stopped_though_the_program_ends() -> None:
    runs = Runs(Teller().answer)
    run = runs.start(Turn("?"))
    await run.wait(0)
    run.stop()
    await runs.aclose()
    assert run.state == "stopped"


async def test_when_left_it_may_stop_at_once() -> None:
    teller = Teller()
    run = Runs(teller.answer, leaving=0).start(Turn("?"))
    async with aclosing(run.follow()) as entries:
        await anext(entries)
    await run.finished()
    assert run.state == "stopped"


async def test_who_returns_in_time_keeps_it_going() -> None:
    teller = Teller()
    run = Runs(teller.answer, leaving=0.01).start(Turn("?"))
    with run.reading():
        pass
    with run.reading():
        teller.say(TextDelta("A"), DONE)
        await run.finished()
    assert run.state == "complete"


async def test_finished_runs_are_forgotten_after_the_last_reader() -> None:
    teller = Teller()
    runs = Runs(teller.answer, kept=0)
    run = runs.start(Turn("?"))
    with run.reading():
        teller.say(DONE)
        await run.finished()
        await asyncio.sleep(0)
        assert runs.get(run.id) is run
    await until(lambda: runs.get(run.id) is None)
    assert len(runs) == 0


async def test_running_runs_are_not_forgotten() -> None:
    teller = Teller()
    runs = Runs(teller.answer, kept=0)
    run = runs.start(Turn("?"))
    with run.reading():
        pass
    await asyncio.sleep(0)
    assert runs.get(run.id) is run
    await runs.aclose()


async def test_waiting_for_more_than_deltas() -> None:
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(TextDelta("A"))
    await run.wait(1)
    turned = asyncio.create_task(run.wait(run.seq, deltas=False))
    teller.say(TextDelta("B"))
    await run.wait(2)
    assert not turned.done()
    teller.say(DONE)
    await turned


async def test_waiting_has_an_end() -> None:
    teller = Teller()
    runs = Runs(teller.answer)
    run = runs.start(Turn("?"))
    await run.wait(0)
    await run.wait(run.seq, within=0.001)
    await runs.aclose()


async def test_one_line_a_turn_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chat.turns")
    teller = Teller()
    run = Runs(teller.answer).start(Turn("what is secret?"))
    teller.say(TextDelta("the \x1b[31msecret"), DONE)
    await run.finished()
    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert line["run"] == run.id
    assert (line["model"], line["outcome"], line["kind"], line["characters"]) == (
        "acme:one",
        "complete",
        None,
        15,
    )
    assert "secret" not in record.getMessage()


async def test_a_long_name_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chat.turns")
    teller = Teller()
    run = Runs(teller.answer).start(Turn("?"))
    teller.say(TurnStarted("\x1b[31m" + "x" * 900_000, {}), DONE)
    await run.finished()
    (record,) = caplog.records
    assert len(record.getMessage()) < 1000
    assert "\x1b" not in record.getMessage()


async def test_the_text_is_logged_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chat.turns")
    teller = Teller()
    run = Runs(teller.answer, log_text=True).start(Turn("what?"))
    teller.say(TextDelta("\x1b[31mred\n"), DONE)
    await run.finished()
    message = caplog.records[0].getMessage()
    assert json.loads(message)["answer"] == "\x1b[31mred\n"
    assert message.isprintable()


# -- in a conversation --------------------------------------------------------------------------


async def test_what_was_said_before_is_told() -> None:
    tellers: list[Teller] = []

    def tell(turn: Turn) -> AsyncGenerator[Event, None]:
        tellers.append(Teller())
        asked.append(turn)
        return tellers[-1].answer(turn)

    asked: list[Turn] = []
    runs, conversation = Runs(tell), Conversation("me")
    for question, answer in (("One?", "1"), ("Two?", "2")):
        run = await runs.ask(conversation, question, Options())
        await run.wait(0, within=0)  # its task takes its first step
        tellers[-1].say(TextDelta(answer), DONE)
        await run.finished()
    assert [message.text for message in asked[1].history if isinstance(message, User)] == ["One?"]
    assert len(asked[1].history) == 2


async def test_a_question_without_a_word_of_answer_poisons_nothing() -> None:
    teller = Teller()
    runs, conversation = Runs(teller.answer), Conversation("me")
    run = await runs.ask(conversation, "Lost?", Options())
    run.stop()
    await run.finished()
    assert conversation.messages() == ()
    with pytest.raises(BadRequest):  # there is nothing to go on from
        await runs.ask(conversation, "", Options(), continues=True)


async def test_asked_again_the_old_answer_stays_until_there_is_a_new_word() -> None:
    tellers: list[Teller] = []
    asked: list[Turn] = []

    def tell(turn: Turn) -> AsyncGenerator[Event, None]:
        tellers.append(Teller())
        asked.append(turn)
        return tellers[-1].answer(turn)

    runs, conversation = Runs(tell), Conversation("me")
    answers: list[str] = []
    for again, said in ((False, (TextDelta("old"), DONE)), (True, (DONE,)), (True, (TextDelta("new"), DONE))):
        run = await runs.ask(conversation, "One?", Options(), again=again)
        await run.wait(0, within=0)  # its task takes its first step
        tellers[-1].say(*said)
        await run.finished()
        await asyncio.sleep(0)
        answers += [exchange.transcript.text for exchange in conversation.exchanges]
    assert answers == ["old", "old", "new"]
    assert [turn.history for turn in asked] == [()] * 3


async def test_asked_again_a_continued_answer_is_answered_anew_as_a_whole() -> None:
    tellers: list[Teller] = []
    asked: list[Turn] = []

    def tell(turn: Turn) -> AsyncGenerator[Event, None]:
        tellers.append(Teller())
        asked.append(turn)
        return tellers[-1].answer(turn)

    runs, conversation = Runs(tell), Conversation("me")
    answers: list[list[str]] = []
    for how, *said in (
        ("", TextDelta("half"), DONE),
        ("continues", TextDelta(" and half"), DONE),
        ("again", DONE),  # comes to nothing
        ("again", TextDelta("whole"), DONE),
    ):
        again, continues = how == "again", how == "continues"
        run = await runs.ask(conversation, "One?", Options(), again=again, continues=continues)
        await run.wait(0, within=0)
        tellers[-1].say(*said)
        await run.finished()
        await asyncio.sleep(0)
        answers.append([exchange.transcript.text for exchange in conversation.exchanges])
    assert answers == [["half"], ["half", " and half"], ["half", " and half"], ["whole"]]
    assert [turn.question for turn in asked] == ["One?", CONTINUE, "One?", "One?"]
    assert [len(turn.history) for turn in asked] == [0, 2, 0, 0]
    assert len(conversation.exchanges[0].versions) == 2


async def test_a_continuation_without_a_word_is_tried_again_by_itself() -> None:
    asked: list[Turn] = []
    said = iter(([TextDelta("half"), DONE], [DONE], [TextDelta(" and half"), DONE]))

    def tell(turn: Turn) -> AsyncGenerator[Event, None]:
        asked.append(turn)
        teller = Teller()
        teller.say(*next(said))
        return teller.answer(turn)

    runs, conversation = Runs(tell), Conversation("me")
    for how in ("", "continues", "again"):
        again, continues = how == "again", how == "continues"
        run = await runs.ask(conversation, "One?", Options(), again=again, continues=continues)
        await run.finished()
        await asyncio.sleep(0)
    assert [turn.question for turn in asked] == ["One?", CONTINUE, CONTINUE]
    assert [exchange.transcript.text for exchange in conversation.exchanges] == ["half", " and half"]


async def test_a_history_that_came_along_is_told_instead() -> None:
    asked: list[Turn] = []

    def tell(turn: Turn) -> AsyncGenerator[Event, None]:
        asked.append(turn)
        teller = Teller()
        teller.say(TextDelta("1"), DONE)
        return teller.answer(turn)

    runs, conversation, told = Runs(tell), Conversation("me"), (User("Zero?"), User("Still?"))
    run = await runs.ask(conversation, "One?", Options(), history=told)
    await run.finished()
    assert asked[0].history == told
    await (await runs.ask(conversation, "Two?", Options())).finished()
    assert [message.text for message in asked[1].history if isinstance(message, User)] == ["One?"]


async def test_a_run_is_found_by_its_owner_alone() -> None:
    runs, conversation = Runs(Teller().answer, kept=0), Conversation("me")
    run = await runs.ask(conversation, "One?", Options())
    assert runs.conversation("me", run.id) is conversation
    assert runs.conversation("you", run.id) is None
    conversation.owner = ""
    assert runs.conversation("", run.id) is None
    conversation.owner = "me"
    run.stop()
    await until(lambda: runs.conversation("me", run.id) is None)


@pytest.mark.parametrize("question", ["", "  \n\t "])
async def test_an_empty_question_is_refused(question: str) -> None:
    runs, conversation = Runs(Teller().answer), Conversation("me")
    with pytest.raises(BadRequest):
        await runs.ask(conversation, question, Options())
    assert conversation.exchanges == []


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("x" * (LONGEST + 1), Options()),
        ("Short?", Options(system="x" * (LONGEST + 1))),
        ("Short?", Options(model="x" * (LONGEST_NAME + 1))),
        ("Short?", Options(effort="x" * (LONGEST_NAME + 1))),
    ],
)
async def test_what_is_too_long_is_refused_by_whichever_door_it_comes(
    question: str, options: Options
) -> None:
    runs, conversation = Runs(Teller().answer), Conversation("me")
    with pytest.raises(BadRequest, match="shorten it"):
        await runs.ask(conversation, question, options)
    with pytest.raises(BadRequest, match="shorten it"):
        await runs.ask(Conversation(LOCAL), question, options, address="127.0.0.1")
    await runs.ask(Conversation(LOCAL), question, options)  # at the terminal
    await runs.ask(conversation, "x" * LONGEST, Options(model="x" * LONGEST_NAME))
    assert len(runs) == 2
    await runs.aclose()


async def test_a_second_question_waits_for_the_first_answer() -> None:
    runs, conversation = Runs(Teller().answer), Conversation("me")
    await runs.ask(conversation, "One?", Options())
    with pytest.raises(BadRequest):
        await runs.ask(conversation, "Two?", Options())
    await runs.aclose()


async def test_one_sending_many_times_at_once_begins_one_run(tmp_path: Path) -> None:
    """As a client does that sends again because it heard nothing, each time in a new chat."""
    async with open_store(tmp_path / "chat.db") as store:
        teller = Teller()
        settings = Settings.read({"CHAT_PUBLIC": "1"})
        runs = Runs(teller.answer, store, quotas=Quotas(settings, store))
        sent = [runs.ask(store.new("me"), "One?", Options(), key="k", address="192.0.2.1") for _ in range(12)]
        others = runs.ask(store.new("you"), "One?", Options(), key="k", address="192.0.2.1")
        mine, theirs = await asyncio.gather(*sent), await others
        assert len(set(mine)) == 1
        assert theirs not in mine
        assert len(runs) == 2
        await runs.aclose()


async def test_what_has_begun_is_counted_and_nothing_else() -> None:
    """Refused, sent twice, empty, at the wrong moment: none of it takes anything from what one may ask."""
    teller = Teller()
    limits = Limits(Settings.read({"CHAT_RATE": "2/hour"}))
    runs, conversation = Runs(teller.answer, slots=Slots(1, 1), limits=limits), Conversation("me")
    run = await runs.ask(conversation, "One?", Options(), key="k", address="192.0.2.1")
    assert await runs.ask(conversation, "One?", Options(), key="k", address="192.0.2.1") is run
    for question, continues in (("", False), ("Two?", False), ("", True)):
        with pytest.raises(BadRequest):
            await runs.ask(conversation, question, Options(), continues=continues, address="192.0.2.1")
    run.stop()
    await run.finished()
    again = await runs.ask(conversation, "", Options(), again=True, address="192.0.2.1")
    again.stop()
    await again.finished()
    with pytest.raises(RateLimited, match="2 questions an hour"):
        await runs.ask(conversation, "Three?", Options(), address="192.0.2.1")
    with pytest.raises(RateLimited, match="From your network"):
        await runs.ask(Conversation("you"), "Mine?", Options(), address="192.0.2.1")
    assert len(conversation.exchanges) == 1
    await runs.ask(Conversation(LOCAL), "Mine?", Options())
    await runs.aclose()


async def test_a_question_for_which_there_is_no_room_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAITING_EACH", 0)
    limits = Limits(Settings.read({"CHAT_RATE": "2/hour"}))
    runs = Runs(Teller().answer, slots=Slots(1, 9), limits=limits)
    run = await runs.ask(Conversation("me"), "One?", Options())
    for _ in range(5):
        with pytest.raises(RateLimited, match="waiting already"):
            await runs.ask(Conversation("me"), "Two?", Options())
    run.stop()
    await run.finished()
    await runs.ask(Conversation("me"), "Two?", Options())
    await runs.aclose()


async def test_many_strangers_of_one_address_leave_room_for_others() -> None:
    limits = Limits(Settings.read({"CHAT_PUBLIC": "1"}))
    runs = Runs(Teller().answer, slots=Slots(1, 4, 2), limits=limits)
    crowd = [await runs.ask(Conversation(f"{n}"), "Hello?", Options(), address="192.0.2.1") for n in range(9)]
    other = await runs.ask(Conversation("other"), "Hello?", Options(), address="192.0.2.2")
    await other.wait(other.seq)
    begun = [any(isinstance(entry.event, TurnStarted) for entry in run.entries) for run in (*crowd, other)]
    assert begun == [True] * 2 + [False] * 7 + [True]
    await runs.aclose()
