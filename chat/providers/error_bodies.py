"""Reading what vendors write into an error: its words, its names, and which parameter it is about.

No two agree on a form, so none is expected: whatever JSON, text or page it is, a bounded walk through it
gathers sentences, names, a status, a parameter and a wait. `error_words` says what the words mean, and
`refusals` makes our errors of them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from chat.providers import waits
from chat.providers.lengths import lengths

PROTECTED = frozenset(("model", "messages", "input", "tools", "system", "instructions"))
"""Parameters that are never left out on a vendor's word: without them it is another question."""

LONGEST: Final = 64 * 1024
"""Characters of a body that are looked at."""
LONGEST_TEXT: Final = 1500
"""Characters of its sentences, all together, that patterns run on."""
_SENTENCE, _ENDING, _SENTENCES, _NAME, _NAMES = 600, 200, 4, 80, 12
_NODES, _DEPTH, _WIDTH = 400, 12, 8
"""Of the walk: values looked at in all, how deep, and of one list."""

_SAYS: Final = (
    *(
        "message",
        "msg",
        "statusmsg",
        "statusmessage",
        "statustext",
        "errormessage",
        "errormsg",
        "errmsg",
        "errmessage",
    ),
    *(
        "detail",
        "details",
        "description",
        "errordescription",
        "errorsummary",
        "faultstring",
        "text",
        "userfacingmessage",
        "raw",
    ),
    *("errors", "error", "fault", "reason", "title", "cause", "info", "exception", "failure", "hint"),
)
"""Keys, in small letters alone, under which something is said of the error: plain words first."""
_PLAIN: Final = frozenset(_SAYS[: _SAYS.index("errors")])
_CALLED: Final = frozenset(
    (
        "code",
        "type",
        "status",
        "kind",
        "errorcode",
        "errcode",
        "errortype",
        "errtype",
        "subcode",
        "statuscode",
        "exceptiontype",
    )
)
"""Keys of names: what a program calls the error."""
_ECHOES: Final = frozenset(
    (
        "input",
        "request",
        "messages",
        "prompt",
        "failedgeneration",
        "ctx",
        "tools",
        "choices",
        "usage",
        "content",
    )
) | frozenset(("stack", "stacktrace", "traceback", "body", "requestid", "url", "links"))
"""Keys of what was sent or half written, not of what is wrong."""
_STATUSES: Final = frozenset(
    ("statuscode", "status", "code", "httpstatus", "httpcode", "httpstatuscode", "errorcode")
)

_PARTS = frozenset(("reasoning.summary", "reasoning.effort"))
"""Left out alone: OpenAI gives summaries to verified organisations only; the effort still holds."""
_OTHER_NAMES = (
    (re.compile(r"\beffort\b", re.IGNORECASE), ("output_config", "reasoning_effort", "reasoning")),
    (re.compile(r"\b(reasoning|thinking)\b", re.IGNORECASE), ("reasoning_effort", "reasoning", "thinking")),
)
_PAGE: Final = re.compile(r"<\s*(!doctype|html|head|body|title|script|/\w)", re.IGNORECASE)
_TITLE: Final = re.compile(r"<(title|h1)\b[^>]{0,200}>([^<]{1,200})<", re.IGNORECASE)
_XML: Final = re.compile(
    r"<(?:\w{1,20}:)?(message|msg|faultstring|description|reason)\b[^>]{0,200}>([^<]{1,1000})<", re.IGNORECASE
)
_BROKEN: Final = re.compile(
    r'"(?:message|msg|status_?msg|error_?message|detail|description|error|reason)"\s{0,9}:\s{0,9}"((?:[^"\\]|\\.){1,1000})'
)
"""A sentence in JSON that is cut off, or is not quite JSON."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """`text` are the vendor's sentences, `names` its codes for the error, `param` what it is about."""

    text: str = ""
    names: str = ""
    param: str = ""
    places: tuple[str, ...] = ()
    """What every `loc: ["body", name, …]` names, wherever it is nested (FastAPI, Mistral)."""
    status: int = 0
    """The HTTP status that the body itself tells; 0 when it tells none."""
    counts: tuple[int | None, int | None] = (None, None)
    """Tokens that fit and that were sent, where they have fields of their own (llama.cpp)."""
    wait: float | None = None
    """Seconds that it asks to wait."""
    page: bool = False
    """Whether it is a web page: a gateway's, a firewall's, a login form's. Its title is the text."""

    @classmethod
    def read(cls, body: object) -> "ErrorBody":
        """From JSON, or the text of it, or any text."""
        if isinstance(body, bytes | bytearray):
            body = bytes(body[:LONGEST]).decode(errors="replace")
        walk = _Walk()
        if isinstance(body, str):
            walk.text(body[:LONGEST])
        else:
            walk.value(body)
        return walk.found()

    @property
    def lengths(self) -> tuple[int | None, int | None]:
        """Tokens that fit, and tokens that were sent, as far as it tells."""
        (limit, sent), (fits, counted) = lengths(self.text), self.counts
        return fits or limit, counted or sent

    def refused(self, sent: Iterable[str], not_taken: bool, out_of_range: bool) -> str:
        """The wire's name of a parameter of `sent` that is not taken, or "": top-level, but for `_PARTS`."""
        sent = frozenset(sent) - PROTECTED
        if out_of_range and not not_taken:
            return ""  # the parameter is taken, its value is not: a person should know
        if self.param:
            name = re.split(r"[.\[]", self.param)[0]
            return (self.param if self.param in _PARTS else name) if name in sent else ""
        if self.places:
            return next((place for place in self.places if place in sent), "")
        return self._named(sent) if not_taken else ""

    def _named(self, sent: frozenset[str]) -> str:
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.text).lower()  # xAI says reasoningEffort
        for form in (r"[`'\"]{}\b", r"(?<![\w.]){}(?!\w)"):  # a name in quotes is meant as one
            found = [(m.start(), n) for n in sent if (m := re.search(form.format(re.escape(n)), plain))]
            if found:
                return min(found)[1]
        for words, names in _OTHER_NAMES:
            if words.search(plain) and (name := next((n for n in names if n in sent), "")):
                return name
        return ""


class _Walk:
    """One walk through a body."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._else: list[str] = []
        self._names: list[str] = []
        self._places: list[str] = []
        self._param, self._status, self._page = "", 0, False
        self._counts: tuple[int | None, int | None] = (None, None)
        self._wait: float | None = None
        self._left = _NODES

    def found(self) -> ErrorBody:
        text = ""
        for sentence in self._said or self._else:
            apart = "" if not text else " " if text[-1] in ".!?:;,。！？：" else "; "
            text += apart + sentence
        text = text[:LONGEST_TEXT]
        return ErrorBody(
            text or next((name for name in self._names if not name.isdecimal()), ""),
            " ".join(self._names),
            self._param,
            tuple(self._places),
            self._status,
            self._counts,
            self._wait if self._wait is not None else waits.words(text),
            self._page,
        )

    def text(self, text: str, depth: int = 0) -> None:
        """A text of its own: JSON, a page, XML, events of a stream, or words."""
        text = text.strip().removeprefix("\ufeff")
        if depth > _DEPTH or not text:
            return None
        if text.startswith(("data:", "event:", "error:", "id:", ":")):  # an event of a stream
            lines = re.findall(r"^(?:data|error):(.{1,20000})$", text, re.MULTILINE)[:4]
            text = "\n".join(line.strip() for line in lines) or text
        if text[0] in "{[":
            if (value := _json(text)) is not None:
                return self.value(value, depth + 1)
            if broken := _BROKEN.findall(text):
                for sentence in broken[:_SENTENCES]:
                    self._say(_unescaped(sentence))
                return None
        if text[0] == "<" or _PAGE.search(text[:2000]):
            xml = _XML.search(text)
            self._page = xml is None
            if sentence := xml or _TITLE.search(text):
                self._say(_unescaped_html(sentence[2]))
            return None
        start = text.find("{", 0, 400)  # words before JSON: what a gateway adds to what it was told
        if start > 0 and (value := _json(text[start:])) is not None:
            before, length = text[:start].rstrip(" -:"), len(self._said)
            self.value(value, depth + 1)
            if length == len(self._said):
                self._say(text)
            elif before:
                self._said.insert(length, before[:_SENTENCE])
            return None
        return self._say(text)

    def value(self, value: Any, depth: int = 0, says: bool = True) -> None:
        """`says`: whether a text at this place is about the error."""
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            return
        match value:
            case str() if says:
                self.text(value[:LONGEST], depth)
            case str() if " " in value.strip() and len(self._else) < 2:
                self._else.append(" ".join(value[:_SENTENCE].split()))
            case list():
                for each in value[:_WIDTH]:
                    self.value(each, depth + 1, says)
            case dict():
                self._object(value, depth)
            case _:
                pass

    def _object(self, value: dict[Any, Any], depth: int) -> None:
        keys = {_plain_key(key): key for key in list(value)[:64]}
        place = _place(value)
        self._places += place[:1]
        for plain, key in keys.items():
            self._field(plain, str(key), value[key])
        before = len(self._said)
        for plain in _SAYS:
            if plain in keys and (part := value[keys[plain]]):
                if isinstance(part, str) and plain not in _PLAIN and _is_name(part):
                    self._name(part)
                else:
                    self.value(part, depth + 1)
        if place and len(self._said) > before:
            self._said[before] = f"{'.'.join(place)[:_NAME]}: {self._said[before]}"
        for plain, key in keys.items():
            json_text = plain not in _SAYS and _holds_json(value[key])
            if plain not in _SAYS and (plain not in _ECHOES or (plain == "body" and json_text)):
                self.value(value[key], depth + 1, says=json_text)

    def _field(self, plain: str, key: str, value: Any) -> None:
        if plain in _STATUSES and not self._status and 400 <= (_number(value) or 0) <= 599:
            self._status = _number(value) or 0
        if (plain in _CALLED or key == "__type") and _is_name(str(value)) and not isinstance(value, bool):
            self._name(str(value))
        if plain in ("param", "parameter", "field") and isinstance(value, str) and not self._param:
            self._param = value[:_NAME]
        if plain == "nctx":
            self._counts = (_count(value), self._counts[1])
        elif plain == "nprompttokens":
            self._counts = (self._counts[0], _count(value))
        if self._wait is None:
            self._wait = waits.field(key, value)

    def _name(self, name: str) -> None:
        if len(self._names) < _NAMES and name not in self._names:
            self._names.append(name[:_NAME])

    def _say(self, text: str) -> None:
        sentence = " ".join(text[: 20 * _SENTENCE].split())
        if len(sentence) > _SENTENCE + _ENDING:  # what was sent may be echoed before the reason
            end = " ".join(text[-2 * _ENDING :].split())[-_ENDING:]
            sentence = f"{sentence[:_SENTENCE]} … {end}"
        if len(self._said) >= _SENTENCES or not sentence:
            return
        if _PAGE.search(sentence):
            if (title := _TITLE.search(sentence)) is None:
                return
            sentence = title[2].strip()
        if not any(sentence in other for other in self._said):
            self._said.append(sentence)


def _json(text: str) -> Any:
    """The value that `text` begins with; None where there is none."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value


def _holds_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] in ("{", "[")


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _unescaped_html(text: str) -> str:
    import html

    return html.unescape(text)


def _plain_key(key: Any) -> str:
    return re.sub(r"[^a-z]", "", str(key)[:60].lower())


def _is_name(text: str) -> bool:
    """Whether a program wrote it for a program: `rate_limit_exceeded`, `429`, `google.rpc.RetryInfo`."""
    return bool(text) and text.isascii() and re.fullmatch(r"[\w.:/@-]+", text[: 4 * _NAME]) is not None


def _number(value: object) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _count(value: object) -> int | None:
    return number if (number := _number(value)) is not None and 0 < number < 10**12 else None


def _place(part: dict[Any, Any]) -> list[str]:
    loc = part.get("loc")
    if not isinstance(loc, list) or loc[:1] != ["body"]:
        return []
    return [str(name)[:_NAME] for name in loc[1:9] if isinstance(name, str | int)]
