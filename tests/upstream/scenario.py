"""What a model's name asks the upstream to play.

A name is steps joined by `+`; a step is words joined by `-`. What follows `@` only makes a name
unique. N counts, R is tokens per second (0 or left out: as fast as they come), S is seconds.

    text-N[-R]      "tok1 tok2 … tokN ", numbered through the reply
    prose-N[-R]     the same in Markdown: paragraphs, bold words, lists, code
    think-N[-R]     "idea1 … ideaN "
    echo-N[-R]      what stands behind the `@` of the question, N times, numbered
    spell-N[-R]     what stands behind the `@` of the question, N characters a token
    tools-N[-R]     N parallel calls of the tools offered, which end the reply; nothing when their
                    results are here already
    loop-N          the same, again and again
    wait-S, ping-S  silence, or pings without content, then what follows
    stop-WORD       how it ends: end, length, filter or refusal
    hold            the end is said, the socket stays open
    trickle         what follows comes byte by byte
    fault-NAME[-after-N]   N tokens of text, then the fault; without N a fault of the stream comes first
    window-N        refused as too long beyond N tokens, each of four characters, with the vendor's
                    figures (OpenAI's Responses tells none); else what follows
    unsaid-N        the same without figures
    once-STEP       STEP for the first request with this name, five tokens for the next

The model `asked` plays what the last question says, in the same words.

Faults instead of an answer: 400, 401, 403, 404, 429[-S] (S is Retry-After), 500, 503, 529, html,
html-502, json-error, json (a whole completion), empty-body, echo (the key in the error's text), echo-pieces
(its ends), temperature (refused if sent), context (too long), silence (no byte at all).
Faults of the stream: error, error-echo (the key in its text), error-nested, failed (these two of Responses),
reset, close (the body ends as if all were well), cut (FIN without the body's end), broken-json, broken-utf8,
silence-after-N, pings, huge (one event of 10 MB), nothing (the end, without an answer).
"""

import re
from dataclasses import dataclass

Steps = tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Say:
    what: str
    """`text`, `prose`, `think`, `echo` or `spell`."""
    tokens: int
    """Of `spell`: how long each is."""
    rate: float = 0


@dataclass(frozen=True, slots=True)
class Call:
    count: int
    rate: float = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float
    pings: bool = False


@dataclass(frozen=True, slots=True)
class End:
    stop: str


@dataclass(frozen=True, slots=True)
class Hold:
    pass


@dataclass(frozen=True, slots=True)
class Trickle:
    pass


@dataclass(frozen=True, slots=True)
class Fault:
    name: str


@dataclass(frozen=True, slots=True)
class Window:
    """A context of so many tokens."""

    tokens: int
    told: bool


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP answer that is not a stream."""

    name: str
    retry_after: float | None = None


Step = Say | Call | Pause | End | Hold | Trickle | Fault | Window | Status

_STATUS = re.compile(
    r"400|401|403|404|429|500|503|529|html|html-502|json-error|json|empty-body|echo|echo-pieces|temperature|context|silence"
)
_STREAM = re.compile(
    r"error|error-echo|error-nested|failed|reset|close|cut|broken-json|broken-utf8|silence|pings|huge|nothing"
)
FOREVER = 3600.0
ASKED = "asked"


def parse(model: str, seen: int = 0) -> Steps:
    """The steps of `model`; `seen` requests with this name came before. Raises `ValueError`."""
    name = model.partition("@")[0]
    if name.startswith("once-"):
        name = "text-5" if seen else name.removeprefix("once-")
    return tuple(step for part in name.split("+") for step in _part(part))


def _part(part: str) -> Steps:
    word, _, rest = part.partition("-")
    numbers = [float(n) for n in rest.split("-")] if re.fullmatch(r"[\d.]+(-[\d.]+)?", rest) else []
    match word, numbers:
        case ("text" | "prose" | "think" | "echo" | "spell") as what, [count, *rate]:
            return (Say(what, int(count), *rate),)
        case ("tools" | "loop") as what, [count, *rate]:
            return (Call(int(count), *rate, again=what == "loop"),)
        case ("wait" | "ping") as what, [seconds]:
            return (Pause(seconds, pings=what == "ping"),)
        case (("window" | "unsaid"), [count]):
            return (Window(int(count), told=word == "window"),)
        case "stop", _ if rest:
            return (End(rest),)
        case "hold", _:
            return (Hold(),)
        case "trickle", _:
            return (Trickle(),)
        case "fault", _:
            return _fault(rest)
    raise ValueError(f"The model `{part}` does not exist.")


def _fault(name: str) -> Steps:
    name, after, count = name.partition("-after-")
    if name == "trickle":
        return (Trickle(), Say("text", 20))
    if after and _STREAM.fullmatch(name):
        return (Say("text", int(count)), *_stream_fault(name))
    if limited := re.fullmatch(r"(429|503|529)-(\d+)", name):
        return (Status(limited[1], float(limited[2])),)
    if _STATUS.fullmatch(name):
        return (Status(name),)
    if _STREAM.fullmatch(name):
        return _stream_fault(name)
    raise ValueError(f"The fault `{name}` does not exist.")


def _stream_fault(name: str) -> Steps:
    match name:
        case "silence":
            return (Pause(FOREVER),)
        case "pings":
            return (Pause(FOREVER, pings=True),)
        case "nothing":
            return ()
    return (Fault(name),)


# What the model list offers: a menu for the page, and names to try by hand.
EXAMPLES = (
    ASKED,
    "text-200-50",
    "prose-2000-100",
    "think-60-40+prose-300-60",
    "think-20-40+tools-2+text-100-50",
    "text-20+stop-length",
    "fault-401",
    "fault-429-3600",
    "fault-html",
    "fault-error-after-20",
    "fault-reset-after-20",
    "fault-close-after-20",
    "fault-silence-after-20",
)


def token(what: str, number: int) -> str:
    """The text of a token. Its number stands in it, so that a reader can say which one it sees."""
    if what == "think":
        return f"idea{number} "
    if what == "text":
        return f"tok{number} "
    place = number % 80
    match place:
        case 1:
            return f"\n\n### Part tok{number}\n\n" if number > 1 else f"# tok{number}\n\n"
        case 20 | 40:
            return f"tok{number}\n\n"
        case 41 | 45 | 49 | 53:
            return f"\n- tok{number} "
        case 60:
            return f"\n\n```python\ntok{number} = 1\n```\n\n"
    return f"**tok{number}** " if number % 10 == 5 else f"`tok{number}` " if place == 33 else f"tok{number} "
