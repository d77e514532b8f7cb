"""From a request to the run that answers it: a new one, or the one that it read before.

The routes and the WebSocket call `begin` and `resume`. A question is kept like any other, in a conversation
of its own unless one is named; `/v1` keeps it only when it is asked to.
"""

import asyncio
from dataclasses import dataclass

from chat.api.bodies import Choices
from chat.api.callers import NO_RUN, Caller, Refusal, refused
from chat.api.streams import position
from chat.build import App
from chat.conversations import Conversation
from chat.errors import Failure, Fault
from chat.messages import Message
from chat.models import EFFORTS
from chat.runs import Run


@dataclass(frozen=True, slots=True)
class Reading:
    """A run, and the number of the frame after which it is to be read."""

    run: Run
    conversation: Conversation
    after: int = 0

    @property
    def headers(self) -> dict[str, str]:
        kept = {"Conversation-Id": self.conversation.id} if self.conversation.exchanges else {}
        return {"Run-Id": self.run.id, **kept}


async def begin(
    app: App,
    caller: Caller,
    question: str,
    choices: Choices,
    *,
    history: tuple[Message, ...] | None = None,
    keep: bool = True,
    stops_when_left: bool = False,
) -> Reading:
    """`history` in the place of that of `choices`; `keep` and `stops_when_left` as in `Runs.ask`. Raises
    `Refusal`."""
    unknown = set(choices.tools if isinstance(choices.tools, list) else ()) - set(app.tools.names)
    if unknown:
        there = ", ".join(app.tools.names)
        raise Refusal(422, f"tools: there is no tool “{min(unknown)}”. There are: {there}.", "bad_request")
    _effort(app, caller, choices)
    conversation = Conversation(caller.owner)
    if choices.conversation is not None:
        try:
            found = await app.store.peek(caller.owner, choices.conversation)
        except Fault as fault:  # the disk, not the question
            raise Refusal(503, fault.message, fault.kind, 5) from fault
        if found is None:
            raise Refusal(404, "There is no such chat.", "not_found")
        conversation = found
    try:
        run = await app.runs.ask(
            conversation,
            question,
            choices.options(app.tools.names),
            key=choices.key or "",
            history=choices.past if history is None else history,
            address=caller.address,
            keep=keep,
            stops_when_left=stops_when_left,
        )
    except Fault as fault:
        raise refused(fault) from fault
    if choices.timeout is not None:
        _limit(run, choices.timeout)
    return Reading(run, app.runs.conversation(caller.owner, run.id) or conversation)


def _effort(app: App, caller: Caller, choices: Choices) -> None:
    """Raises `Refusal` for an effort that no vendor knows. A vendor's error about it would be read and
    quoted."""
    if not choices.effort or choices.effort in EFFORTS:
        return
    menu = app.catalogue.of(caller.owner)
    listed = menu.efforts(choices.model or menu.default)
    if choices.effort not in listed:
        there = ", ".join(listed or EFFORTS)
        raise Refusal(422, f"effort: there is no “{choices.effort}”. There are: {there}.", "bad_request")


def resume(app: App, caller: Caller, id: str) -> Reading:
    """What a reader goes on with that has read up to the frame `id`. Raises `Refusal`.

    Never a new run, whatever the id is: who sends one has paid for an answer already.
    """
    if (found := position(id)) is None:
        raise Refusal(400, "Last-Event-ID is to be the id of a frame, as it came: run/number.", "bad_request")
    reading = find(app, caller, found[0])
    run, after = reading.run, found[1]
    if run.transcript.ended is None and after > run.seq:
        raise Refusal(400, f"That answer has not come to frame {after} yet.", "bad_request")
    return Reading(run, reading.conversation, after)


def find(app: App, caller: Caller, id: str) -> Reading:
    """The run `id` from its beginning. Somebody else's is none. Raises `Refusal`."""
    conversation, run = app.runs.conversation(caller.owner, id), app.runs.get(id)
    if conversation is None or run is None:
        raise Refusal(404, NO_RUN, "not_found")
    return Reading(run, conversation)


def _limit(run: Run, seconds: float) -> None:
    """Ends `run` after so many seconds from now, the time that it waited for its turn included."""
    late = Failure(
        "stalled",
        f"The answer took longer than the {seconds:g} seconds that the request allowed, and was ended.",
    )
    timer = asyncio.get_running_loop().call_later(seconds, run.stop, late)
    run.when_ended(timer.cancel)
