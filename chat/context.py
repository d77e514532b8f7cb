"""What fits a model's context: how long a request is, and which of its oldest turns to leave out.

Pure. Tokens are estimated on the high side, since each vendor counts in its own way; a `Window` holds
what was learned of one model, from its vendor's figures and refusals. The catalogue keeps the windows,
`attempts` asks here before each request and after each refusal.
"""

import json
import math
from dataclasses import dataclass, field, replace
from itertools import accumulate

from chat.errors import TooLong
from chat.messages import (
    CONTINUE,
    Assistant,
    Message,
    Raw,
    Request,
    Text,
    ToolCall,
    ToolResults,
    ToolSpec,
    User,
)

ROOM = 16_384
"""Tokens kept free for the answer where nobody set its limit; at most a quarter of the context."""
GUESSED = 0.75
"""What a model is thought to take of a conversation that it refused without a figure."""
LEAP = 1 / 8
"""Part of the context that is left out at once. A vendor's cache holds as long as the beginning of what is
sent is the same: it should not move on with each question."""

_LETTERS = bytes(sorted(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "))
_LETTER, _SIGN, _OTHER = 4.0, 1.5, 3.0
"""Bytes a token: of English, of digits and signs, of all beyond ASCII, where three bytes are one Chinese,
Japanese or Korean character. High for prose, about right for tables and code."""
_MESSAGE = 6
"""Tokens around each message or tool: its role, its marks."""
_TOOLS = 350
"""Tokens by which a vendor tells its model what tools are (Anthropic's figure, the largest known)."""
_COUNTED = 200
"""Tokens below which a vendor's own additions hide what the text itself counts."""
_LEAST, _MOST = 0.5, 2.5
"""Ratios to be believed. Beyond, a figure is of something else: of what no cache held, or with pages that
the vendor read itself."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of a model's context."""

    limit: int | None = None
    """The vendor's tokens that fit, question and answer together. None: unknown."""
    ratio: float = 1.0
    """The vendor's tokens for each one that `size` estimates."""
    guessed: bool = field(default=False, compare=False)
    """Whether `limit` is an estimate from a request that was too long, because the vendor named no limit."""

    def counted(self, request: Request, tokens: int) -> "Window":
        """After the vendor counted `request` as `tokens`."""
        ours = size(request)
        believed = ours >= _COUNTED and _LEAST <= tokens / ours <= _MOST
        return replace(self, ratio=tokens / ours) if believed else self

    def refused(self, request: Request, fault: TooLong) -> "Window":
        """After `request` was too long."""
        ours = max(1, size(request))
        answer = request.max_tokens or 0
        ratio = _clamped(fault.sent / ours) if fault.sent else self.ratio
        if fault.limit is None:
            limit = int((ours * ratio + answer) * GUESSED)
            if self.limit is not None and self.limit <= limit:
                return replace(self, ratio=ratio)
            return Window(limit, ratio, guessed=True)
        if not fault.sent and ours * ratio + answer <= fault.limit:  # so we count too few
            ratio = _clamped((fault.limit - answer) / ours / GUESSED)
        return Window(fault.limit, ratio)


def size(request: Request) -> int:
    """Tokens of all that `request` sends, about."""
    return _fixed(request) + sum(map(_message, request.messages))


def fitted(request: Request, window: Window, fewer_than: int | None = None) -> Request:
    """`request` without its oldest turns, as far as it does not fit `window`.

    Turns are left out whole. The system prompt, the question and all that follows it stay, and the last
    answer too when the question is to continue it. `fewer_than`: so many messages of the history were too
    many. Where nothing helps, as much as may be is left out: the vendor has the last word.
    """
    cuts = _cuts(request)
    if window.limit is None or not cuts:
        return request
    room = request.max_tokens or min(ROOM, window.limit // 4)
    most = (window.limit - room) / window.ratio
    if most <= 0:
        return request  # the room for the answer is what is too large
    gone = [0, *accumulate(map(_message, request.messages))]  # tokens before each message
    surplus = _fixed(request) + gone[-1] - most
    if surplus <= 0 and fewer_than is None:
        return request
    leap = most * LEAP
    wanted = -(-surplus // leap) * leap
    most_kept = request.history if fewer_than is None else fewer_than - 1
    enough = [cut for cut in cuts if gone[cut] >= surplus and request.history - cut <= most_kept]
    cut = next((cut for cut in enough if gone[cut] >= wanted), enough[0] if enough else cuts[-1])
    return replace(request, messages=request.messages[cut:], history=request.history - cut)


def _cuts(request: Request) -> list[int]:
    """Where the history may begin instead, oldest first: at each question but those to continue."""
    history = request.messages[: request.history]
    starts = [at for at, said in enumerate(history) if isinstance(said, User) and not _continues(said)]
    question = request.messages[request.history] if request.history < len(request.messages) else None
    end = [] if question is not None and _continues(question) else [request.history]
    return [at for at in (*starts, *end) if at]


def _continues(message: Message) -> bool:
    return isinstance(message, User) and message.text == CONTINUE


def _fixed(request: Request) -> int:
    """Tokens of what is always sent, but for the messages."""
    tools = sum(map(_tool, request.tools)) + _TOOLS if request.tools else 0
    return _text(request.system or "") + tools


def _tool(tool: ToolSpec) -> int:
    return _MESSAGE + _text(tool.name + tool.description + json.dumps(dict(tool.parameters)))


def _message(message: Message) -> int:
    match message:
        case User(text):
            return _MESSAGE + _text(text)
        case Assistant(parts):
            return _MESSAGE + sum(map(_part, parts))
        case ToolResults(results):
            return sum(_MESSAGE + _text(result.text) for result in results)


def _part(part: Text | ToolCall | Raw) -> int:
    match part:
        case Text(text):
            return _text(text)
        case ToolCall(_, name, arguments):
            return _MESSAGE + _text(name + arguments)
        case Raw(data):
            return _text(json.dumps(dict(data), default=str))


def _text(text: str) -> int:
    plain = text.encode("ascii", "ignore")
    signs = len(plain.translate(None, _LETTERS))
    others = len(text.encode("utf-8", "replace")) - len(plain)
    return math.ceil((len(plain) - signs) / _LETTER + signs / _SIGN + others / _OTHER)


def _clamped(ratio: float) -> float:
    return max(_LEAST, min(_MOST, ratio))
