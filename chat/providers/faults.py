"""What a vendor's refusal means: every SDK, transport and in-stream error becomes one of `chat.errors`.

`of` reads an exception, `said` an error object inside an answer with status 200. Both give an error with
a sentence for a person: the cause and the next step. A vendor's own words are quoted only when they are
plain text, shortened and without keys. Used by `clients` and by the protocols; SDKs are told apart by
shape (`response`, `__cause__`), so nothing is imported here before something failed.
"""

import json
import math
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from chat import errors
from chat.errors import Fault
from chat.providers.vendors import Vendor

QUOTED = 300
"""Characters of a vendor's own words in a sentence of ours."""

PROTECTED = frozenset(("model", "messages", "input", "tools", "system", "instructions"))
"""Parameters that are never left out on a vendor's word: without them it is another question."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as a sentence about its failure needs it. `sent` holds its body's top-level names."""

    vendor: Vendor
    key: str = field(default="", repr=False)
    sent: frozenset[str] = frozenset()
    model: str = ""

    @classmethod
    def to(cls, vendor: Vendor, key: str, body: Mapping[str, Any]) -> "Call":
        return cls(vendor, key, frozenset(body), str(body.get("model", "")))

    @property
    def title(self) -> str:
        return self.vendor.title or self.vendor.name

    @property
    def host(self) -> str:
        """Host and port, without what else an address may hold (a password, say)."""
        return urlsplit(self.vendor.url).netloc.rpartition("@")[2]

    @property
    def address_hint(self) -> str:
        name = self.vendor.url_variable
        return f"{name} is set to {self.host}." if name else f"It was asked at {self.host}."

    def quote(self, text: object) -> str:
        """` X says: «text»`, or "" when there is nothing that a person could read."""
        if not isinstance(text, str) or re.search(r"<\s*(!doctype|html|head|body|/\w)", text, re.IGNORECASE):
            return ""
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        text = errors.redact(text, [self.key] if self.key else [])
        if len(text) > QUOTED:
            text = text[: QUOTED - 1].rstrip() + "…"
        return f" {self.title} says: «{text}»" if text else ""


def of(error: BaseException, call: Call, *, opened: bool = False) -> Fault | None:
    """`error` as one of ours; None when it is no failure of the wire but of this program.

    `opened` says that the answer had begun.
    """
    import httpx2

    if isinstance(error, Fault):
        return error
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response):
        return answered(response.status_code, response.headers, getattr(error, "body", None), call)
    chain = list(_causes(error))
    if not any(
        isinstance(e, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError | OSError) for e in chain
    ):
        if any(isinstance(e, UnicodeEncodeError) for e in chain):
            return errors.Config(f"{_key(call)} holds a character that cannot be sent. Copy the key again.")
        if type(error).__module__.partition(".")[0] in ("openai", "anthropic"):
            return errors.Unreachable(f"{call.title} could not be asked.{call.quote(str(error))}")
        return None
    return _transport(chain, call, opened)


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _transport(chain: list[BaseException], call: Call, opened: bool) -> Fault:
    import httpx2

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(error, kinds) for error in chain)

    at = f"{call.title} at {call.host}"
    local = f" Is {call.title} running?" if call.vendor.local else ""
    if has(httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return errors.Config(f"The address of {call.title} cannot be used. {call.address_hint}")
    if has(httpx2.LocalProtocolError):
        return errors.Config(
            f"The request cannot be sent; {_key(call)} may hold a wrong character. Copy it again."
        )
    if has(httpx2.DecodingError):
        return errors.Malformed(f"The answer of {at} is compressed in a way that cannot be read.")
    if has(httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return errors.Unreachable(
            f"{at} did not take the call in time.{local} Check the network, then ask again."
        )
    if has(httpx2.TimeoutException):
        return errors.Stalled(f"{at} went silent. Ask again.")
    if has(httpx2.ProxyError):
        return errors.Unreachable(f"The proxy on the way to {at} refused. Check HTTPS_PROXY and NO_PROXY.")
    if opened:
        return errors.CutOff(
            f"The connection to {call.title} broke before the answer was complete. Ask again to get all of it."
        )
    if has(socket.gaierror):
        return errors.Unreachable(
            f"There is no host named {urlsplit(call.vendor.url).hostname}, or no network. {call.address_hint}"
        )
    if has(ssl.SSLError):
        return errors.Unreachable(
            f"No safe connection to {at}: its certificate was not accepted, or it does not speak TLS."
        )
    if has(ConnectionRefusedError):
        return errors.Unreachable(f"Nothing answers at {call.host}.{local} {call.address_hint}")
    if has(httpx2.ConnectError):
        return errors.Unreachable(f"Cannot reach {at}.{local} Check the network, then ask again.")
    return errors.Unreachable(f"The connection to {at} broke before an answer came. Ask again.")


def said(data: Any, call: Call) -> Fault | None:
    """The error that an object inside an answer with status 200 reports; None when it reports none.

    Known forms: `{"error": {…}}`, `{"error": "text"}`, `{"type": "error", …}`, `{"object": "error", …}`.
    """
    if not isinstance(data, dict):
        return None
    if not data.get("error") and "error" not in (data.get("type"), data.get("object")):
        return None
    text, code, kind, _ = _parts(data)
    status = _status(data)
    known = _fault(status, {}, data, call)
    if status or type(known) is not errors.Server:
        known.status = None  # HTTP said 200
        return known
    words = f" ({kind or code})" if (kind or code) and not text else ""
    return errors.Server(f"{call.title} broke off with an error{words}.{call.quote(text)} Ask again.")


def answered(status: int, headers: Mapping[str, str], body: object, call: Call) -> Fault:
    """The error that an HTTP answer means. `body` is JSON or text; never shown unless it is plain text."""
    return _fault(status, headers, body, call)


def _status(data: Mapping[str, Any]) -> int:
    """The HTTP status that an error object stands for, 0 when it does not say."""
    inner = data.get("error")
    for part in (inner, data) if isinstance(inner, dict) else (data,):
        for name in ("status_code", "status", "code", "http_status"):
            code = part.get(name)
            if isinstance(code, str) and code.isdecimal():
                code = int(code)
            if isinstance(code, int) and 400 <= code <= 599:
                return code
    _, code, kind, _ = _parts(data)
    names = f"{kind} {code}".lower()
    return next((number for pattern, number in _NAMED if re.search(pattern, names)), 0)


_NAMED = (
    (r"rate_?limit|too_many_requests|resource_exhausted", 429),
    (r"insufficient_quota|billing|payment", 402),
    (r"overloaded|unavailable|capacity", 529),
    (r"authentication|invalid_api_key|unauthorized", 401),
    (r"permission", 403),
    (r"model_not_found|not_found", 404),
    (r"request_too_large|context_length", 413),
    (r"invalid_request|bad_request|invalid_prompt", 400),
    (r"api_error|server_error|internal", 500),
)

_TOO_LONG = re.compile(
    r"context[_ ]length|context[_ ]window|maximum context|context size|(prompt|input|messages|request) (is |are )?too (long|large)"
    r"|is too long|too_many_prompt_tokens|token limit|tokens? > \d+|reduce (the|your) (length|prompt|message)"
    r"|exceeds? the (maximum|limit|available) .*tokens|string_above_max_length",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient[_ ](quota|funds|credit|balance)|out of credit|more credits|credit balance|billing|payment"
    r"|exceeded your current quota|spending limit|run out of",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(
    r"(incorrect|invalid|missing|wrong|no).{0,12} api[_ -]?key|api[_ -]?key.{0,30}(invalid|not valid)", re.I
)
_NO_MODEL = re.compile(
    r"model_not_found|no such model|unknown model|invalid model|not a valid model|model .{0,120}(not (exist|found)|does not exist|is not available|deprecated|decommissioned)",
    re.I | re.S,
)
_OUT_OF_RANGE = re.compile(
    r"(below|above)_m(in|ax)|too (large|small|high|low)|at most|at least|(less|greater) than|must be between|range|maximum|minimum|\d+ > \d+",
    re.I,
)
_NOT_TAKEN = re.compile(
    r"not (be )?(supported|permitted|allowed|accepted|available|compatible)|(n't|not) (support|allow|accept)|unsupported|deprecated"
    r"|unknown|unrecogni[sz]ed|unexpected|extra (inputs|fields?)|cannot be (set|used)|may only be|only .{1,20} (is|are) (allowed|supported)"
    r"|cannot find field|no such (field|parameter)|removed",
    re.I,
)  # fmt: skip


def _fault(status: int, headers: Mapping[str, str], body: object, call: Call) -> Fault:
    body = _json(body)
    text, code, kind, param = _parts(body)
    quote = call.quote(text)
    everything = f"{text} {code} {kind}"
    wait = retry_after(headers)
    if 300 <= status < 400:
        return errors.Config(
            f"{call.title} sends us on to another address, and a key is sent to no other. {call.address_hint}",
            status=status,
        )
    if status == 401 or (status in (0, 400, 403) and _KEY_REFUSED.search(everything)):
        return errors.Auth(_auth(call), status=status or None)
    if status == 402 or (status in (0, 400, 403, 429) and _NO_CREDIT.search(everything)):
        return errors.RateLimited(
            f"The account at {call.title} is out of credit, or at its spending limit. "
            f"Add credit there, or choose a model of another provider.{quote}",
            retry_after=wait,
            status=status or None,
        )
    if status == 413 or (status in (0, 400, 422, 500) and _TOO_LONG.search(everything)):
        return errors.TooLarge(
            f"The conversation is too long for {call.model or 'this model'}. "
            f"Begin a new conversation, or choose a model that takes more.{quote}",
            status=status or None,
        )
    if status in (400, 404) and (_NO_MODEL.search(everything) or param == "model"):
        return errors.NotFound(
            f"{call.title} has no model named {call.model or 'this'}, or this key may not use it. "
            f"Choose another one.{quote}",
            status=status,
        )
    if status in (400, 422):
        return _bad_request(status, body, text, code, param, everything, call)
    if status == 404:
        return errors.NotFound(
            f"{call.title} knows no such address. {call.address_hint}{quote}", status=status
        )
    if status == 403:
        return errors.Auth(
            f"{call.title} does not allow this. Check what {_key(call)} may do, or choose another model.{quote}",
            status=status,
        )
    if status == 429:
        when = "Wait a little, then ask again." if wait is None else f"It asks to wait {_span(wait)}."
        return errors.RateLimited(
            f"Too many requests to {call.title}. {when}{quote}", retry_after=wait, status=status
        )
    if status in (498, 503, 529) or "overloaded" in everything.lower():
        return errors.Overloaded(
            f"{call.title} is too busy now. Ask again in a moment, or choose another model.{quote}",
            retry_after=wait,
            status=status or None,
        )
    if 400 <= status < 500 and status not in (408, 409, 425):
        return errors.BadRequest(
            f"{call.title} does not accept this question ({status}).{quote}", status=status
        )
    number = f" ({status})" if status else ""
    return errors.Server(
        f"{call.title} has a fault of its own{number}. Ask again in a moment.{quote}",
        retry_after=wait,
        status=status or None,
    )


def _auth(call: Call) -> str:
    if not call.vendor.key:
        return f"{call.title} at {call.host} asks for a key, and none is set for it."
    if not call.key:
        return f"{call.title} needs a key. Set {call.vendor.key}."
    return f"{call.title} does not accept the key in {call.vendor.key}. Check it, or make a new one there."


def _key(call: Call) -> str:
    return call.vendor.key or "the key"


def _bad_request(
    status: int, body: object, text: str, code: str, param: str, everything: str, call: Call
) -> Fault:
    quote = call.quote(text)
    parameter = _refused(body, text, code, param, call)
    if parameter:
        return errors.Refused(
            f"{call.model or call.title} does not take «{parameter}».{quote}",
            parameter=parameter,
            status=status,
        )
    if "tools" in call.sent and re.search(
        r"not support(ed)? (tool|function)|tool(s| use| calling).{0,20} not supported", text, re.I
    ):
        return errors.BadRequest(
            f"{call.model or 'This model'} takes no tools. Switch them off, or choose another model.{quote}",
            status=status,
        )
    return errors.BadRequest(f"{call.title} does not accept this question.{quote}", status=status)


def _refused(body: object, text: str, code: str, param: str, call: Call) -> str:
    """The wire's top-level name (or one of `_PARTS`) of what we sent and the vendor does not take, or ""."""
    sent = call.sent - PROTECTED
    named = re.split(r"[.\[]", param)[0]
    if _OUT_OF_RANGE.search(f"{code} {text}") and not _NOT_TAKEN.search(f"{code} {text}"):
        return ""  # the parameter is taken, its value is not: the person should know
    if named:
        return (param if param in _PARTS else named) if named in sent else ""
    for place in _places(body):
        return place if place in sent else ""
    if not _NOT_TAKEN.search(f"{code} {text}"):
        return ""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()  # xAI says reasoningEffort
    for form in (r"[`'\"]{}\b", r"(?<![\w.]){}(?!\w)"):
        found = [(m.start(), name) for name in sent if (m := re.search(form.format(re.escape(name)), plain))]
        if found:
            return min(found)[1]
    for word, names in _OTHER_WORDS.items():
        if re.search(word, plain):
            for name in names:
                if name in sent:
                    return name
    return ""


_PARTS = frozenset(("reasoning.summary", "reasoning.effort"))
"""Left out alone: OpenAI gives summaries to verified organisations only; the effort still holds."""

_OTHER_WORDS = {
    r"\beffort\b": ("output_config", "reasoning_effort", "reasoning"),
    r"\b(reasoning|thinking)\b": ("reasoning_effort", "reasoning", "thinking"),
}


def _places(body: object) -> Iterable[str]:
    """The first parts of every `loc: ["body", name, …]` (FastAPI, Mistral), wherever it is nested."""
    if isinstance(body, dict):
        loc = body.get("loc")
        if isinstance(loc, list) and len(loc) > 1 and loc[0] == "body":
            yield str(loc[1])
        for value in body.values():
            yield from _places(value)
    elif isinstance(body, list):
        for value in body:
            yield from _places(value)


def _json(body: object) -> object:
    if isinstance(body, str | bytes):
        try:
            return json.loads(body)
        except ValueError:
            return body
    return body


def _parts(body: object) -> tuple[str, str, str, str]:
    """Message, code, type and parameter of an error body, in any of the forms that vendors use."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return body, "", "", ""
    if not isinstance(body, dict):
        return "", "", "", ""
    inner = body.get("error")
    outer = body
    if isinstance(inner, dict):
        body = inner
    text = inner if isinstance(inner, str) else body.get("message") or body.get("detail") or body.get("msg")
    if isinstance(text, dict):
        text = text.get("detail") or text.get("message")
    if isinstance(text, list):
        parts = [p for p in text if isinstance(p, dict)]
        text = "; ".join(
            f"{'.'.join(str(x) for x in p['loc'][1:])}: {p.get('msg', '')}"
            if isinstance(p.get("loc"), list)
            else str(p.get("msg", ""))
            for p in parts
        )
    raw = body.get("metadata")
    if isinstance(raw, dict) and isinstance(
        raw.get("raw"), str
    ):  # OpenRouter: what the vendor behind it said
        inner_text = _parts(_json(raw["raw"]))[0]
        text = f"{text or ''} {inner_text}".strip()
    code, kind, param = body.get("code") or outer.get("code"), body.get("type"), body.get("param")
    return tuple(str(x) if isinstance(x, str | int) else "" for x in (text, code, kind, param))  # type: ignore[return-value]


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date) or `retry-after-ms`; None when not said.

    A date is measured against the answer's own `Date`, so that a wrong clock here does not matter.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    value = lower.get("retry-after", "").strip()
    try:
        if not value:
            value, scale = lower.get("retry-after-ms", ""), 1000
        else:
            scale = 1
        seconds = float(value) / scale
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
        since = parsedate_to_datetime(lower["date"]) if "date" in lower else now or datetime.now(UTC)
        return max((until - since).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
