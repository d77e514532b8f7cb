"""The rest of an answer that was cut off: the demo's scripts, from where the last reply stopped.

A script can be played again, so what it said before tells where it stood. `player` calls `steps` when the
question is `CONTINUE`. What the demo did not say itself, it cannot go on with, and it says so.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from chat.messages import CONTINUE, Assistant, Message, Request, ToolResults, User
from chat.providers.demo import scripts
from chat.providers.demo.steps import Call, Fail, Limit, Say, Steps, Talk, Think, Tick

_COMPLETE = "There is nothing left to say: that answer was complete."
_UNKNOWN = (
    "I was asked to go on, but I cannot know how: what stands above is not the beginning of anything that I "
    "would say to that question now. I am a script. A real model would go on from any text."
)

Dice = Callable[[Request], random.Random]


def asked(request: Request) -> bool:
    return next((m.text for m in reversed(request.messages) if isinstance(m, User)), "") == CONTINUE


def steps(request: Request, dice: Dice) -> Steps:
    """What is left of the answer that `request` asks to continue."""
    before, since, said = _cut_off(request)
    if not before or not said:
        yield Say(_UNKNOWN)
        return
    told = ""  # in the rounds of this turn that are over
    ends = [0, *(at for at, message in enumerate(since, 1) if isinstance(message, ToolResults))]
    talks = [_talk(request, (*before, *since[:end]), dice, said) for end in ends]
    for talk in talks[:-1]:
        text = "".join(step.text for step in scripts.choose(talk) if isinstance(step, Say))
        told = f"{told}\n\n{text}" if told and text else told + text
    if told == said:
        yield Say("\n\n")
    left = said[len(told) :].lstrip("\n") if told and said.startswith(told) else said
    yield from _behind(scripts.choose(talks[-1]), "" if told.startswith(said) else left)


def _cut_off(request: Request) -> tuple[tuple[Message, ...], tuple[Message, ...], str]:
    """What was said up to the question, what happened since it was asked to go on, the answer so far."""
    messages = request.messages
    questions = [at for at, message in enumerate(messages) if isinstance(message, User)]
    at = last = questions.pop()
    while messages[at] == User(CONTINUE) and questions:
        at = questions.pop()
    said = "".join(message.text for message in messages[at:last] if isinstance(message, Assistant))
    known = messages[at] != User(CONTINUE)
    return messages[: at + 1] if known else (), messages[last + 1 :], said


def _talk(request: Request, messages: tuple[Message, ...], dice: Dice, said: str) -> Talk:
    request = replace(request, messages=messages)
    return replace(Talk.of(request, dice(request)), said=said)


def _behind(steps: Steps, said: str) -> Steps:
    """`steps` without their beginning, which was `said`."""
    more = not said
    for step in steps:
        if not said:
            more = True
            yield step
            continue
        match step:
            case Say(text) | Tick(text) if text.startswith(said):
                rest, said = text[len(said) :], ""
                if rest:
                    more = True
                    yield replace(step, text=rest)
            case Say(text) | Tick(text) if said.startswith(text):
                said = said[len(text) :]
            case Think() | Fail(once=True):
                pass  # that was before the first word
            case Limit():
                yield step
            case Call():  # what else was said came after it, and is known in the next round
                yield step
                return
            case _:
                yield Say(_UNKNOWN)
                return
    if not more:
        yield Say(_UNKNOWN if said else _COMPLETE)
