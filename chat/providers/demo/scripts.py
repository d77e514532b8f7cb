"""What the demo model says: a script for each thing that it can show.

A script reads the talk and yields steps, which `player` turns into a stream. `choose` picks it by
words of the question. There is no clock here and no chance but the talk's own dice.
"""

import re

from chat.providers.demo import questions, tools, words
from chat.providers.demo.endings import ENDINGS
from chat.providers.demo.steps import Say, Script, Steps, Talk, Think, Tick, page, text

TICK, MOST_TICKS = 0.1, 100
"""Seconds from one timed tick to the next, and how many there are at most."""
_TICKS = r"^\W*(\d{1,3}) timed ticks\b"


def choose(talk: Talk) -> Steps:
    """The steps of the answer."""
    script = _script(talk)
    if talk.request.model.thinking == "always" and script is not think and not talk.rounds:
        yield Think(words.musing(talk.question))
    yield from script(talk)


def _script(talk: Talk) -> Script:
    question = talk.question[: questions.LONGEST_READ].lower()
    for pattern, script in _TABLE:
        if re.search(pattern, question):
            return script
    return tools.ask if tools.calls_for(talk) else small_talk


# -- what was received -------------------------------------------------------------------


def received(talk: Talk) -> str:
    """A closing line that names what else came with the question, or ""."""
    request = talk.request
    parts: list[str] = []
    if request.system:
        who = questions.persona(request.system)
        parts.append(
            f"a system prompt of {len(request.system)} characters"
            + (f" (it reads like {who})" if who else "")
        )
    if request.temperature is not None:
        parts.append(f"a temperature of {request.temperature:g}")
    if request.max_tokens is not None:
        parts.append(f"a limit of {request.max_tokens} tokens")
    if request.effort is not None:
        parts.append(f"the thinking effort “{request.effort}”")
    return f"\n\n*With your question came {words.listed(parts)}.*" if parts else ""


def tour(talk: Talk) -> Steps:
    yield Say(text("tour") + received(talk))


def help_(talk: Talk) -> Steps:
    yield Say(text("help") + received(talk))


def identity(talk: Talk) -> Steps:
    yield Say(
        f"I am `{talk.request.model.name}`, the demo model of Runnel. I am a script, not a language model: "
        "I look for a few words in your question and play the text that belongs to them. Nothing that you "
        "write here leaves this machine, unless you ask for the weather.\n\n"
        "What you see around me is real: the streaming, the tools, the Stop button and the way in which "
        "failures are shown. Ask me `how do I add a key?` to talk to a model that can think."
    )


def small_talk(talk: Talk) -> Steps:
    """For everything that no script knows."""
    who = questions.persona(talk.request.system or "")
    if who in words.PERSONA_TEXTS:
        yield Say(text(words.PERSONA_TEXTS[who]) + received(talk))
        return
    opening = talk.dice.choice(words.OPENINGS)
    ideas = talk.dice.sample(words.IDEAS, 4)
    if talk.question.strip():
        opening = opening.replace("{question}", words.quoted(talk.question))
    else:
        opening = "Nothing came with this message."
    yield Say(
        f"{opening}\n\n"
        "Here is what I can show instead:\n\n"
        + "\n".join(f"- `{say}`: {what}" for say, what in ideas)
        + "\n\nSay `help` for the whole list, or `key` to learn how to talk to a real model."
        + received(talk)
    )


def greeting(talk: Talk) -> Steps:
    yield Say(talk.dice.choice(words.GREETINGS) + received(talk))


def memory(talk: Talk) -> Steps:
    if not talk.earlier:
        yield Say(
            "Nothing yet: this is your first question in this conversation. Ask me again after a few more."
        )
        return
    count = len(talk.earlier)
    shown = talk.earlier[-8:]
    head = (
        "You asked one question before this one:"
        if count == 1
        else f"You asked {count} questions before this one:"
    )
    if count > len(shown):
        head = f"You asked {count} questions before this one. The last {len(shown)} were:"
    yield Say(
        f"{head}\n\n"
        + "\n".join(f"{n}. {words.quoted(q)}" for n, q in enumerate(shown, count - len(shown) + 1))
        + "\n\nI know this because the whole conversation is sent along with each question. "
        "A model remembers nothing between two answers." + received(talk)
    )


def temperature(talk: Talk) -> Steps:
    value = talk.request.temperature
    if value is None:
        yield Say(
            "No temperature came with your question, so the vendor's default holds. "
            "Set one in the sidebar and ask again."
        )
        return
    yield Say(
        f"A temperature of **{value:g}** came with your question. I am a script, so it changes nothing here. "
        "A real model "
        + (
            "stays close to its likeliest words with a value this low."
            if value < 0.7
            else "varies its words with a value like this."
            if value <= 1.2
            else "wanders with a value this high, and may lose the thread."
        )
    )


def system(talk: Talk) -> Steps:
    prompt = talk.request.system
    if not prompt:
        yield Say(
            "No system prompt came with your question. You can write one in the sidebar, or choose a persona."
        )
        return
    who = questions.persona(prompt)
    yield Say(
        f"A system prompt of {len(prompt)} characters came with your question"
        + (f". It reads like {who}" if who else "")
        + f". It begins like this:\n\n> {words.quoted(prompt, 160)}\n\n"
        "It stands first in every turn, however long the conversation grows."
    )


# -- thinking ------------------------------------------------------------------------------


def think(talk: Talk) -> Steps:
    if talk.thinks:
        yield from (Think(part) for part in words.thoughts(talk.request.effort))
    yield Say(text("puzzle"))
    if not talk.thinks:
        yield Say("\n\nThe thinking effort is set to `none`, so this time I did not think aloud.")


# -- measuring -----------------------------------------------------------------------------


def ticks(talk: Talk) -> Steps:
    """As many as are asked for, evenly: whoever times their arrival sees what holds them back on the way."""
    asked = re.search(_TICKS, talk.question[: questions.LONGEST_READ].lower())
    for n in range(min(int(asked[1]), MOST_TICKS) if asked else 0):
        yield Tick(f"tick {n + 1}\n", TICK)


_TABLE: tuple[tuple[str, Script], ...] = (
    (_TICKS, ticks),
    (r"tool.{0,20}\b(error|fail)|divi\w+.{0,15}by (0|zero)\b", tools.tool_error),
    (r"endless|(again and again|never stop).{0,20}tool", tools.endless),
    (r"step by step|two rounds", tools.step_by_step),
    (r"\bsearch.{0,20}\bdoc|weather (in|for)\b|what time", tools.ask),
    *ENDINGS,
    (r"add a key|api.?key|\bkeys?\b", page("key")),
    (r"markdown", page("markdown")),
    (r"\bjson\b|structured", page("json")),
    (r"\blong (answer|text|reply|story|one)\b|essay|thousand words", page("long")),
    (r"\bthink|puzzle|bicycle and a bell|\breason(ing)?\b", think),
    (r"(did|have) i (ask|say|said|tell)|ask(ed)? (you )?(before|earlier)|remember", memory),
    (r"system prompt|persona", system),
    (r"^\W*help\b|what can you|the whole list", help_),
    (r"\btour\b|\bwelcome\b|what is (this|runnel)\b", tour),
    (r"who are you|what are you|are you (real|an? )|which model", identity),
    (r"^\W*(hi|hello|hey|good (morning|day|evening)|grüezi|hallo|bonjour)\b", greeting),
    (r"^\W*(thanks|thank you|merci|danke)\b", page("thanks")),
    (r"temperature(?! in\b)", temperature),
)
