"""The closed set of ways in which a turn can fail.

    Fault(message, hint, retry_after, status)
    ├── Config            config         a setting is missing or wrong
    ├── Auth              auth           the vendor does not accept the key
    ├── NotFound          not_found      no such model or address
    │   └── OtherProtocol                … for this protocol: it may answer in its other one
    ├── BadRequest        bad_request    the vendor does not accept the request
    │   └── Refused                      … because of one parameter, which can be left out
    ├── RateLimited       rate_limited   too many requests
    │   └── OutOfCredit                  … or no money left there
    ├── Overloaded        overloaded     the vendor is too busy
    ├── Server            server         the vendor's own error
    │   ├── BadCall                      … with a tool's call that the model wrote amiss
    │   └── Unsaved                      … or ours: the disk does not take what a person asked for
    ├── Unreachable       unreachable    no connection
    ├── CutOff            cut_off        the stream ended before its end was said
    ├── Stalled           stalled        silence, or longer than the deadline
    ├── Malformed         malformed      what came cannot be read
    ├── TooLarge          too_large      something is too big: an event, an answer
    │   ├── NoRoom                       … what is kept already: nothing more has room here
    │   └── TooLong                      … the conversation: the model takes a shorter one
    ├── AnswerTooLongError  answer_too_long   it grew longer than one may be here; what came stays
    ├── Empty             empty          an answer without anything
    ├── TooManyRounds     too_many_rounds   the model asked for tools again and again
    ├── Shutdown          shutdown       this program is ending
    ├── (what a person stops)  stopped   no exception: `chat.run` says it
    └── (any other exception)  bug       logged with its traceback, shown as a neutral sentence

Exceptions travel between layers; the engine turns the last one into `TurnFailed(failure)`.
A message is for whoever asked: it names the cause and the next step, and holds no key, no stack
trace and nobody's HTML (`redact` and the providers see to that). What only the operator may read, and can
use, is the `hint`: names of settings, addresses, paths. `told` leaves it out for everybody else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

Kind = Literal[
    "config",
    "auth",
    "not_found",
    "bad_request",
    "rate_limited",
    "overloaded",
    "server",
    "unreachable",
    "cut_off",
    "stalled",
    "malformed",
    "too_large",
    "answer_too_long",
    "empty",
    "too_many_rounds",
    "stopped",
    "shutdown",
    "bug",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """How a turn failed, as a value. `retry_after` in seconds, `status` of HTTP where there was one."""

    kind: Kind
    message: str
    retry_after: float | None = None
    status: int | None = None


class Fault(Exception):
    kind: ClassVar[Kind] = "bug"

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after
        self.status = status

    @property
    def whole(self) -> str:
        """Message and hint: for the operator's eyes."""
        return f"{self.message} {self.hint}".strip()

    def told(self, *, operator: bool) -> Failure:
        """As a value, for the operator or for everybody else."""
        return Failure(self.kind, self.whole if operator else self.message, self.retry_after, self.status)


class Config(Fault):
    kind = "config"


class Auth(Fault):
    kind = "auth"


class NotFound(Fault):
    kind = "not_found"


class OtherProtocol(NotFound):
    """The address or the model is there, but not for the protocol that it was asked in.

    `lasting`: this holds for every request. Otherwise it may be due to what this request asks for, such as
    tools."""

    def __init__(
        self, message: str, *, hint: str = "", lasting: bool = True, status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.lasting = lasting


class BadRequest(Fault):
    kind = "bad_request"


class Refused(BadRequest):
    """The vendor named a body parameter that it does not take from this model.

    `lasting`: the model takes no value of it, whatever else is sent. Otherwise it may refuse this value, or
    refuse it beside another option of this request, and nothing is remembered for other users."""

    def __init__(
        self, message: str, *, parameter: str, lasting: bool = True, status: int | None = None
    ) -> None:
        super().__init__(message, status=status)
        self.parameter, self.lasting = parameter, lasting


class RateLimited(Fault):
    kind = "rate_limited"


class OutOfCredit(RateLimited):
    """What is missing is money: waiting is no use."""


class Overloaded(Fault):
    kind = "overloaded"


class Server(Fault):
    kind = "server"


class BadCall(Server):
    """The model wrote a tool's call that its vendor could not read. The next try often works."""


class Unsaved(Server):
    """The disk does not take it now. The message says why."""


class Unreachable(Fault):
    kind = "unreachable"


class CutOff(Fault):
    kind = "cut_off"


class Stalled(Fault):
    kind = "stalled"


class Malformed(Fault):
    kind = "malformed"


class TooLarge(Fault):
    kind = "too_large"


class NoRoom(TooLarge):
    """Nothing more can be kept here. The message says what makes room."""


class TooLong(TooLarge):
    """The conversation does not fit. `limit` and `sent` in tokens, where the vendor tells them."""

    def __init__(
        self,
        message: str,
        *,
        limit: int | None = None,
        sent: int | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, status=status)
        self.limit = limit
        self.sent = sent


class AnswerTooLongError(Fault):
    kind = "answer_too_long"


class Empty(Fault):
    kind = "empty"


class TooManyRounds(Fault):
    kind = "too_many_rounds"


class Shutdown(Fault):
    kind = "shutdown"


BUG = Failure("bug", "Something went wrong inside Runnel. The log has the details; asking again may work.")

# What vendors' keys look like, for texts that echo one we do not hold (a visitor's typo, say).
# A full stop after one belongs to the sentence.
_KEY = re.compile(
    r"\b(?:(?i:sk|pk|gsk|xai|hf|r8)[-_]|key[-_](?=[a-z_\-.]*[0-9*…])|(?i:AIza))[A-Za-z0-9_\-*.…]{6,}(?<!\.)",
    re.ASCII,
)
_GAP = r"[^!-~]{0,8}"
"""What may break a key that is echoed: blanks, line ends, characters of no width."""
_PIECE = r"[\w*….•-]"
"""What may stand beside a piece of a key: more of it, or what masks the rest."""


def redact(text: str, keys: Iterable[str] = ()) -> str:
    """`text` without `keys` and without anything that looks like a key.

    A key of eight characters or more is found in any case, and when it is broken (a line end in the middle);
    of one of sixteen or more its beginning and its end are found too, with what masks the rest.
    """
    for key in keys:
        if len(key) >= 4:
            text = text.replace(key, "[key]")
        if len(solid := re.sub("[^!-~]", "", key)) >= 8:
            text = re.sub(_GAP.join(map(re.escape, solid)), "[key]", text, flags=re.IGNORECASE)
        if len(solid) >= 16:
            text = _without_pieces(text, solid)
    return _KEY.sub("[key]", text)


def _without_pieces(text: str, key: str) -> str:
    """`text` without the beginning of `key`, its end, and a masked form of it: `abc1****wxyz`."""
    begins, ends, first = re.escape(key[:8]), re.escape(key[-8:]), re.escape(key[:3])
    text = re.sub(rf"{begins}{_PIECE}*(?<!\.)", "[key]", text, flags=re.IGNORECASE)
    text = re.sub(
        rf"{first}[\w-]{{0,20}}(?:[*…•]|\.{{3}}){_PIECE}*(?<!\.)", "[key]", text, flags=re.IGNORECASE
    )
    # Backwards by hand: a pattern that begins with a repetition takes quadratic time.
    kept, last = "", 0
    for found in re.finditer(ends, text, re.IGNORECASE):
        start = found.start()
        while start > last and re.match(_PIECE, text[start - 1]):
            start -= 1
        kept, last = f"{kept}{text[last:start]}[key]", found.end()
    return kept + text[last:]
