"""Answers of the demo model that need a tool. The engine runs it, and comes back with the result."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chat.messages import ToolResult
from chat.providers.demo import questions, words
from chat.providers.demo.steps import Call, Say, Steps, Talk, Think


def calls_for(talk: Talk) -> list[questions.Wanted]:
    """What the question asks tools for. Empty: nothing."""
    return questions.wanted(talk.question, talk.request.system or "")


def ask(talk: Talk) -> Steps:
    """Call what the question asks for, all side by side; then answer with what really came back."""
    wanted = calls_for(talk)
    if not talk.rounds:
        able = tuple((name, arguments) for name, arguments in wanted if talk.has(name))
        if not able:
            yield Say(_switched_off(talk, wanted))
            return
        if talk.thinks:
            yield Think(words.plan(able))
        yield Say(words.before_calls(able))
        yield Call(able)
        return
    results = talk.rounds[-1]
    answers = [words.answer(result, _arguments(talk, result)) for result in results]
    off = [(name, arguments) for name, arguments in wanted if not talk.has(name)]
    yield Say("\n\n".join(answers))
    if off:
        yield Say("\n\n" + _switched_off(talk, off))
    if any(result.error for result in results):
        yield Say("\n\nThe error came from the tool itself, and I read it just as a real model would.")


def tool_error(talk: Talk) -> Steps:
    if talk.rounds:
        yield from ask(talk)
    elif talk.has("calculate"):
        yield Say("I ask the calculator for something that it cannot do.")
        yield Call((("calculate", {"expression": "1 / 0"}),))
    else:
        yield Say(_switched_off(talk, [("calculate", {})]))


def step_by_step(talk: Talk) -> Steps:
    if not talk.has("calculate"):
        yield Say(_switched_off(talk, [("calculate", {})]))
    elif not talk.rounds:
        yield Say("First, how many seconds does a day have?")
        yield Call((("calculate", {"expression": "24 * 60 * 60"}),))
    elif len(talk.rounds) == 1:
        first = words.value(talk.rounds[0][0])
        yield Say(f"A day has {first} seconds. Now, with that result, a year:")
        number = re.sub(r"[^\d.]", "", first) or "86400"
        yield Call((("calculate", {"expression": f"{number} * 365"}),))
    else:
        yield Say(
            f"A year of 365 days has **{words.value(talk.rounds[1][0])}** seconds. "
            "That took two rounds: the second call used what the first had found."
        )


def endless(talk: Talk) -> Steps:
    if not talk.has("calculate"):
        yield Say(_switched_off(talk, [("calculate", {})]))
        return
    if not talk.rounds:
        yield Say("I now ask for the calculator again and again, until Runnel says that it is enough.")
    yield Call((("calculate", {"expression": f"{len(talk.rounds) + 1} + 1"}),))


def _arguments(talk: Talk, result: ToolResult) -> Mapping[str, Any]:
    try:
        value = json.loads(talk.calls[result.id].arguments)
    except (KeyError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _switched_off(talk: Talk, wanted: Sequence[questions.Wanted]) -> str:
    names = words.listed([f"`{name}`" for name in dict(wanted)])
    if talk.request.model.tools is False:
        model = talk.request.model.name
        return f"This needs {names}, but `{model}` takes no tools. Choose `demo:tour` and ask again."
    tools, are = ("tools", "they are") if len(dict(wanted)) > 1 else ("tool", "it is")
    return (
        f"This needs the {tools} {names}, and {are} switched off. You find the switches in the sidebar, "
        "under Tools. I will not make up a result."
    )
