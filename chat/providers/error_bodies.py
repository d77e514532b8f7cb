"""Reading what vendors write into an error: its words, its code, and which parameter it is about.

No two agree on a form; `ErrorBody.read` takes them all, and the properties say what the words mean.
`faults` makes our errors and sentences of it. The patterns come from recorded answers of OpenAI,
Anthropic, xAI, Groq, Mistral, OpenRouter, Perplexity, Azure, Ollama, vLLM and FastAPI servers.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chat.providers.lengths import lengths

PROTECTED = frozenset(("model", "messages", "input", "tools", "system", "instructions"))
"""Parameters that are never left out on a vendor's word: without them it is another question."""

_PARTS = frozenset(("reasoning.summary", "reasoning.effort"))
"""Left out alone: OpenAI gives summaries to verified organisations only; the effort still holds."""


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


_TOO_LONG = _words(
    r"context[_ ](length|window|size)",
    r"maximum context",
    r"(prompt|input|messages|request) (is |are )?too (long|large)",
    r"is too long",
    r"too_many_prompt_tokens",
    r"token limit",
    r"tokens? > \d+",
    r"reduce (the|your) (length|prompt|message)",
    r"exceeds? the (maximum|limit|available) .{0,40}tokens",
    r"string_above_max_length",
    r"maximum prompt length",
    r"tokens` must be|inputs` must have",
    r"too many tokens: ",  # with a full stop it is a rate
    r"input length should be",
)
_TOO_MUCH_AT_ONCE = _words(r"request too large")
_NO_CREDIT = _words(
    r"insufficient[_ ](quota|funds|credit|balance)",
    r"(out of|more) credits?",
    r"credit balance",
    r"billing|payment",
    r"exceeded your current quota",
    r"spending limit",
)
_KEY_REFUSED = _words(
    r"(incorrect|invalid|missing|wrong|no) (\w+ )?api[_ -]?key", r"api[_ -]?key.{0,30}(in|not )valid"
)
_NO_MODEL = _words(
    r"model_not_found|DeploymentNotFound|(no such|unknown|invalid) model\b|not a valid model",
    r"model .{0,120}(not (exist|found|available)|does not exist|deprecated|decommissioned)",
    r"no (allowed )?(endpoints?|providers?) (found|available)",
)
_NO_TOOLS = _words(
    r"not support(ed)? (tools?|functions?)\b",
    r"support tool use",
    r"tool(s| use| calling| choice).{0,20} not supported",
)
_OUT_OF_RANGE = _words(
    r"(below|above)_m(in|ax)",
    r"too (large|small|high|low)",
    r"at (most|least)",
    r"(less|greater) than",
    r"must be between|\brange\b",
    r"maximum|minimum",
    r"\d+ > \d+",
)
_NOT_TAKEN = _words(
    r"not (be )?(supported|permitted|allowed|accepted|available|compatible)",
    r"(n't|not) (support|allow|accept)",
    r"unsupported|deprecated|unknown|unrecogni[sz]ed|unexpected|removed",
    r"extra (inputs|fields?)",
    r"cannot be (set|used)|may only be",
    r"only .{1,20} (is|are) (allowed|supported)",
    r"cannot find field|no such (field|parameter)",
    r"must be one of",
)
_BY_NAME = (
    (_words(r"rate_?limit|too_many_requests|resource_exhausted"), 429),
    (_words(r"insufficient_quota|billing|payment"), 402),
    (_words(r"overloaded|unavailable|capacity"), 529),
    (_words(r"authentication|invalid_api_key|unauthorized"), 401),
    (_words(r"permission"), 403),
    (_words(r"not_found"), 404),
    (_words(r"request_too_large|context_length"), 413),
    (_words(r"invalid_request|bad_request|invalid_prompt"), 400),
    (_words(r"api_error|server_error|internal"), 500),
)
_OTHER_NAMES = (
    (_words(r"\beffort\b"), ("output_config", "reasoning_effort", "reasoning")),
    (_words(r"\b(reasoning|thinking)\b"), ("reasoning_effort", "reasoning", "thinking")),
)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """`text` is the vendor's sentence, `code` and `kind` its names for it, `param` what it is about."""

    text: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    places: tuple[str, ...] = ()
    """What every `loc: ["body", name, …]` names, wherever it is nested (FastAPI, Mistral)."""
    status: int = 0
    """The HTTP status that the body itself tells or means; 0 when it tells none."""
    counts: tuple[int | None, int | None] = (None, None)
    """Tokens that fit and that were sent, where they have fields of their own (llama.cpp)."""

    @classmethod
    def read(cls, body: object) -> "ErrorBody":
        """From JSON, or the text of it, or any text."""
        if isinstance(body, str | bytes):
            try:
                body = json.loads(body)
            except (ValueError, RecursionError):
                return cls(body if isinstance(body, str) else body.decode(errors="replace"))
        if isinstance(body, list) and body:  # Gemini
            body = body[0]
        if not isinstance(body, dict):
            return cls(body if isinstance(body, str) else "")
        error = body.get("error")
        inner = error if isinstance(error, dict) else body
        text = error if isinstance(error, str) else _text(inner)
        behind = inner.get("metadata")
        if isinstance(behind, dict) and isinstance(behind.get("raw"), str):  # OpenRouter: of whom it asked
            text = f"{text} {cls.read(behind['raw']).text}".strip()
        code, kind = _plain(inner.get("code") or body.get("code")), _plain(inner.get("type"))
        return cls(
            text,
            code,
            kind,
            _plain(inner.get("param")),
            tuple(_places(body)),
            _status(inner, body) or next((n for words, n in _BY_NAME if words.search(f"{kind} {code}")), 0),
            (_count(inner.get("n_ctx")), _count(inner.get("n_prompt_tokens"))),
        )

    @property
    def _all(self) -> str:
        return f"{self.text} {self.code} {self.kind}"

    @property
    def too_long(self) -> bool:
        return bool(_TOO_LONG.search(self._all))

    @property
    def too_much_at_once(self) -> bool:
        """More than an account may send in a minute, so that waiting is no use: OpenAI says 429, Groq 413."""
        return bool(_TOO_MUCH_AT_ONCE.search(self.text))

    @property
    def lengths(self) -> tuple[int | None, int | None]:
        """Tokens that fit, and tokens that were sent, as far as it tells."""
        (limit, sent), (fits, counted) = lengths(self.text), self.counts
        return fits or limit, counted or sent

    @property
    def no_credit(self) -> bool:
        return bool(_NO_CREDIT.search(self._all))

    @property
    def key_refused(self) -> bool:
        return bool(_KEY_REFUSED.search(self._all))

    @property
    def no_model(self) -> bool:
        return self.param == "model" or bool(_NO_MODEL.search(self._all))

    @property
    def no_tools(self) -> bool:
        return bool(_NO_TOOLS.search(self.text))

    @property
    def busy(self) -> bool:
        return "overloaded" in self._all.lower()

    def refused(self, sent: Iterable[str]) -> str:
        """The wire's name of a parameter of `sent` that is not taken, or "": top-level, but for `_PARTS`."""
        sent = frozenset(sent) - PROTECTED
        words = f"{self.code} {self.text}"
        not_taken = bool(_NOT_TAKEN.search(words))
        if _OUT_OF_RANGE.search(words) and not not_taken:
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


def _plain(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(inner: dict[str, Any]) -> str:
    text = inner.get("message") or inner.get("detail") or inner.get("msg")
    if isinstance(text, dict):
        text = text.get("detail") or text.get("message")
    if not isinstance(text, list):
        return text if isinstance(text, str) else ""
    parts = (part for part in text if isinstance(part, dict))
    return "; ".join(": ".join(filter(None, (".".join(_place(p)), _plain(p.get("msg"))))) for p in parts)


def _place(part: dict[str, Any]) -> list[str]:
    loc = part.get("loc")
    return [str(name) for name in loc[1:]] if isinstance(loc, list) and loc[:1] == ["body"] else []


def _places(body: object, depth: int = 20) -> Iterator[str]:
    if not depth:
        return
    if isinstance(body, dict):
        yield from _place(body)[:1]
    for value in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _places(value, depth - 1)


def _status(*parts: dict[str, Any]) -> int:
    for part in parts:
        for name in ("status_code", "status", "code", "http_status"):
            code = part.get(name)
            if isinstance(code, str) and len(code) == 3 and code.isdecimal():
                code = int(code)
            if isinstance(code, int) and 400 <= code <= 599:
                return code
    return 0
