"""Answers of the demo model that end otherwise than well, so that each ending can be seen.

`ENDINGS` pairs words of a question with a script; `scripts.choose` reads it.
"""

from chat import errors
from chat.providers.demo.steps import End, Fail, Hang, Limit, Say, Script, Steps, Talk, text

_SHOWN_LENGTH = 60
"""Tokens of the answer that shows the limit, when no limit was set."""


def breaks(fault: errors.Fault, lead: str = "", rest: str = "") -> Script:
    """Say `lead`, then fail; without one before the first word. Asked to go on, say the `rest` and end."""

    def script(talk: Talk) -> Steps:
        if talk.said:
            yield Say(lead + rest)
            return
        if lead:
            yield Say(lead)
        # A fresh one each time: an exception that was raised keeps the traceback of that time.
        yield Fail(type(fault)(fault.message, retry_after=fault.retry_after, status=fault.status))

    return script


def refuse(talk: Talk) -> Steps:
    yield Say(text("refuse"))
    yield End("refusal")


def filtered(talk: Talk) -> Steps:
    yield Say(text("filtered"))
    yield End("filter")


def length(talk: Talk) -> Steps:
    given = talk.request.max_tokens
    if given is None and not talk.said:
        yield Limit(_SHOWN_LENGTH)
    lead = (
        "A model stops in the middle of a sentence when it reaches the limit of tokens set for its answer. "
        + (f"You set {given}. " if given else f"You set none, so I take {_SHOWN_LENGTH}. ")
        + "The answer so far is kept, and you can ask the model to go on. "
    )
    more = "There is room left, so I talk on until there is none. "
    yield Say(lead)
    if talk.said:
        after = talk.said[len(lead) :]
        while after and (after.startswith(more) or more.startswith(after)):
            after = after[len(more) :]
            yield Say(more)
        yield Say("You asked me to go on, and this is the rest: nothing is lost, and nothing was said twice.")
        return
    while True:
        yield Say(more)


def empty(talk: Talk) -> Steps:
    yield End("end")


def rate_limited(talk: Talk) -> Steps:
    yield Fail(
        errors.RateLimited(
            "The demo model is too busy, because it was asked to be. It can be tried again in 2 seconds.",
            retry_after=2,
            status=429,
        ),
        once=True,
    )
    yield Say(text("rate_limited"))


def stall(talk: Talk) -> Steps:
    yield Say(text("stall"))
    if talk.said:
        yield Say(" You asked me to go on, so this time I end well.")
        return
    yield Hang(pings="ping" in talk.question.lower())


def silence(talk: Talk) -> Steps:
    yield Hang(pings="ping" in talk.question.lower())


out_of_quota = errors.RateLimited(
    "The demo model is out of quota for an hour, because it was asked to be. Choose another model, or wait.",
    retry_after=3600,
    status=429,
)
cut_off = errors.CutOff(
    "The demo model's stream ended before the answer did, as you asked. The text so far is kept; "
    "ask again for the rest."
)
malformed = errors.Malformed(
    "The demo model sent something that cannot be read, as you asked. The text so far is kept; ask again."
)
wrong_key = errors.Auth(
    "The demo model does not accept the key, because it was asked not to. With a real vendor you would read "
    "here which variable to look at, for instance the key of OpenAI.",
    status=401,
)
no_connection = errors.Unreachable(
    "The demo model cannot be reached, because it was asked to hide. With a real vendor: look at the network "
    "and at the address in the settings, then ask again."
)
too_long = errors.TooLong(
    "The conversation is too long for the demo model, because it was asked to say so. "
    "Start a new conversation, or shorten the question.",
    status=400,
)
server_error = errors.Server(
    "The demo model has an error of its own, as you asked. Ask again in a moment, or choose another model.",
    status=500,
)
overloaded = errors.Overloaded(
    "The demo model is overloaded and broke off, as you asked. The text so far is kept; ask again, or ask "
    "something else.",
    status=529,
)

_midway = breaks(
    overloaded, text("overloaded"), " breaks off. You asked me to go on, so here is its end: all's well."
)

ENDINGS: tuple[tuple[str, Script], ...] = (
    (r"rate.?limit.{0,30}(hour|long)|hour.{0,30}rate.?limit", breaks(out_of_quota)),
    (r"rate.?limit|too many requests|(error|status) 429", rate_limited),
    (r"\bstall.{0,30}before", silence),
    (r"\bstall|fall silent", stall),
    (
        r"cut.?off|cut it off|disconnect",
        breaks(
            cut_off,
            "The line is cut in the middle of this sentence, and nobody says whether the",
            " rest of it will come. Now it has, because you asked me to go on.",
        ),
    ),
    (
        r"malformed|broken json|garbage",
        breaks(
            malformed,
            "So far every word could be read. What comes next is not even",
            " a word, I was going to say. You asked me to go on, and now it can be read again.",
        ),
    ),
    (r"wrong key|(error|status) 401", breaks(wrong_key)),
    (r"no connection|unreachable", breaks(no_connection)),
    (r"^\W*too (long|large)|context (window|length)|full context", breaks(too_long)),
    (r"server error|(error|status) 5\d\d", breaks(server_error)),
    (r"say nothing|empty answer", empty),
    (r"\bfail|overload|mid-?stream|\bbreak (off|down)", _midway),
    (r"\brefus", refuse),
    (r"content filter", filtered),
    (r"(length|token|output).{0,6}limit|max(imum)?.{0,8}tokens", length),
)
