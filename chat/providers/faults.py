"""What went wrong, in a sentence: every SDK, transport and in-stream error becomes one of `chat.errors`.

`of` reads an exception, `said` an error object inside an answer with status 200. Both give an error with
a sentence for a person: the cause and the next step. A vendor's own words are quoted only when they are
plain text, shortened and without keys. Used by `wire` and by the protocols. What vendors write is read
in `error_bodies`; SDKs are told apart by shape, so nothing is imported before something failed.
"""

import math
import re
import socket
import ssl
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from chat import errors, outbound
from chat.errors import Fault
from chat.providers.error_bodies import ErrorBody
from chat.providers.vendors import Vendor

QUOTED = 300
"""Characters of a vendor's own words in a sentence of ours."""
_NAMED = 40
"""Characters of a vendor's own name for an error."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as a sentence about its failure needs it. `sent` holds its body's top-level names.
    A `visitor` is told of no setting by its name."""

    vendor: Vendor
    key: str = field(default="", repr=False)
    sent: frozenset[str] = frozenset()
    model: str = ""
    visitor: bool = False

    @classmethod
    def to(cls, vendor: Vendor, key: str, body: Mapping[str, Any], visitor: bool) -> "Call":
        return cls(vendor, key, frozenset(body), str(body.get("model", "")), visitor)

    @property
    def title(self) -> str:
        return self.vendor.title or self.vendor.name

    @property
    def host(self) -> str:
        """Host and port, without what else an address may hold (a password, say)."""
        return urlsplit(self.vendor.url).netloc.rpartition("@")[2]

    @property
    def hostname(self) -> str:
        return urlsplit(self.vendor.url).hostname or ""

    def address(self, path: str) -> str:
        """Where `path` is asked, as an event may show it: without a name and password."""
        return re.sub(r"^([^/?#]*//)?[^/?#]*@", r"\1", self.vendor.url) + path

    @property
    def address_hint(self) -> str:
        name = "" if self.visitor else self.vendor.url_variable
        return f"It was asked at {self.host}{f' ({name})' if name else ''}."

    def quote(self, text: object) -> str:
        """` X says: “text”`, or "" when there is nothing that a person could read."""
        if not isinstance(text, str) or re.search(r"<\s*(!doctype|html|head|body|/\w)", text, re.IGNORECASE):
            return ""
        text = self.clean(text)
        if len(text) > QUOTED:
            text = text[: QUOTED - 1].rstrip() + "…"
        return f" {self.title} says: “{text}”" if text else ""

    def clean(self, text: str) -> str:
        """The beginning of `text` on one line, printable, without keys."""
        # Characters of no width go first, and blanks become one: either may break a key in two. Cut last.
        text = "".join(c for c in text[: 100 * QUOTED] if unicodedata.category(c) != "Cf")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return errors.redact(text, [self.key] if self.key else [])[: 10 * QUOTED]


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
        for e in chain:
            if isinstance(e, UnicodeEncodeError) and e.encoding == "ascii":  # a header, and only one is ours
                return errors.Config(
                    f"{_key(call)} holds a character that cannot be sent. Copy the key again."
                )
            if isinstance(e, UnicodeEncodeError):
                return errors.BadRequest(
                    "The question holds half a character. Write it again, then ask again."
                )
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
    way = next((found for error in chain if (found := outbound.way(error))), outbound.Way())
    if not opened and (way.proxy is not None or has(httpx2.ProxyError)) and not has(ssl.SSLError):
        what = _proxys(chain, call)
        if what:
            kind = errors.Config if way.proxy is not None and way.proxy.fault else errors.Unreachable
            return kind(way.failed(call.title, call.hostname, what, owner=not call.visitor))
    if has(httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return errors.Unreachable(
            f"{at} did not take the call in time.{local} Check the network, then ask again."
        )
    if has(httpx2.TimeoutException):
        return errors.Stalled(f"{at} went silent. Ask again.")
    if opened:
        return errors.CutOff(
            f"The connection to {call.title} broke before the answer was complete. "
            "Ask again to get all of it."
        )
    if has(socket.gaierror):
        return errors.Unreachable(
            f"There is no host named {call.hostname}, or no network. {call.address_hint}"
        )
    if has(ssl.SSLError):
        why = "its certificate was not accepted, or it does not speak TLS"
        return errors.Unreachable(f"No safe connection to {at}: {why}.{_trusted(way, call)}")
    if has(ConnectionRefusedError):
        return errors.Unreachable(f"Nothing answers at {call.host}.{local} {call.address_hint}")
    if has(httpx2.ConnectError):
        return errors.Unreachable(f"Cannot reach {at}.{local} Check the network, then ask again.")
    return errors.Unreachable(f"The connection to {at} broke before an answer came. Ask again.")


def _proxys(chain: list[BaseException], call: Call) -> str:
    """What a proxy on the way did; "" where it is not the proxy's fault."""
    import httpx2

    for error in chain:
        if isinstance(error, httpx2.ProxyError):
            return f"refused ({call.clean(str(error))[:_NAMED]})"
    unknown = any(isinstance(error, socket.gaierror) for error in chain)
    if any(isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout) for error in chain):
        return "has a name that is not known here" if unknown else "does not answer"
    return ""


def _trusted(way: outbound.Way, call: Call) -> str:
    """What may be wrong with the certificates that were trusted."""
    if call.visitor:
        return ""
    if way.trouble:
        return f" {'. '.join(way.trouble)}. Correct or unset it, and start again."
    if way.certificates:
        return f" What is trusted here comes from {' and '.join(way.certificates)}."
    return " Where a firewall looks into connections, SSL_CERT_FILE has to name its certificate."


def said(data: Any, call: Call) -> Fault | None:
    """The error that an object inside an answer with status 200 reports; None when it reports none.

    Known forms: `{"error": {…}}`, `{"error": "text"}`, `{"type": "error", …}`, `{"object": "error", …}`.
    """
    if not isinstance(data, dict):
        return None
    if not data.get("error") and "error" not in (data.get("type"), data.get("object")):
        return None
    body = ErrorBody.read(data)
    fault = _fault(body.status, None, body, call)
    if not body.status and type(fault) is errors.Server:
        name = call.clean(body.kind if body.kind not in ("", "error") else body.code)[:_NAMED]
        words = f" ({name})" if name.isidentifier() and not body.text else ""
        return errors.Server(
            f"{call.title} broke off with an error{words}. Ask again.{call.quote(body.text)}"
        )
    fault.status = None  # HTTP said 200
    return fault


def answered(status: int, headers: Mapping[str, str], body: object, call: Call) -> Fault:
    """The error that an HTTP answer means. `body` is JSON or text."""
    return _fault(status, retry_after(headers), ErrorBody.read(body), call)


def _fault(status: int, wait: float | None, body: ErrorBody, call: Call) -> Fault:
    number, quote = status or None, call.quote(body.text)
    model = call.model or "this model"
    asked = status in (0, 400, 403, 422)  # some say with 400 what others say with a status of its own
    if 300 <= status < 400:
        return errors.Config(
            f"{call.title} sends us on to another address, and a key is sent to no other. "
            f"{call.address_hint}",
            status=status,
        )
    if status == 401 or (asked and body.key_refused):
        return errors.Auth(_auth(call), status=number)
    if status == 413 or ((asked or status == 500) and body.too_long) or body.too_much_at_once:
        limit, sent = body.lengths
        return errors.TooLong(
            f"The conversation is too long for {model}. "
            f"Begin a new conversation, or choose a model that takes more.{quote}",
            limit=limit,
            sent=sent,
            status=number,
        )
    if status == 402 or ((asked or status == 429) and body.no_credit):
        return errors.RateLimited(
            f"The account at {call.title} is out of credit, or at its spending limit. "
            f"Add credit there, or choose a model of another provider.{quote}",
            retry_after=wait,
            status=number,
        )
    if "tools" in call.sent and (asked or status == 404) and body.no_tools:
        return errors.BadRequest(
            f"{call.title} gives no tools to {model}. Switch them off, or choose another model.{quote}",
            status=number,
        )
    no_model = body.no_model or bool(call.model and call.model in body.text)
    if status == 404 and no_model:
        return _no_model(status, quote, call)
    if status in (400, 404, 422) and (parameter := body.refused(call.sent)):
        return errors.Refused(
            f"{model} does not take “{parameter}”.{quote}", parameter=parameter, status=status
        )
    if status == 400 and body.no_model:
        return _no_model(status, quote, call)
    match status:
        case 404 | 405:
            return errors.NotFound(
                f"{call.title} knows no such address. Is it right? {call.address_hint}{quote}", status=status
            )
        case 403:
            return errors.Auth(
                f"{call.title} does not allow this. Check what {_key(call)} may do, "
                f"or choose another model.{quote}",
                status=status,
            )
        case 429:
            when = "Wait a little, then ask again." if wait is None else f"It asks to wait {_span(wait)}."
            return errors.RateLimited(
                f"Too many requests to {call.title}. {when}{quote}", retry_after=wait, status=status
            )
        case _ if status in (498, 503, 529) or body.busy:  # 498: Groq's flex tier, 529: Anthropic
            return errors.Overloaded(
                f"{call.title} is too busy now. Ask again in a moment, or choose another model.{quote}",
                retry_after=wait,
                status=number,
            )
        case _ if 400 <= status < 500 and status not in (408, 409, 425):
            return errors.BadRequest(f"{call.title} does not accept this question.{quote}", status=status)
    return errors.Server(
        f"{call.title} has a fault of its own. Ask again in a moment.{quote}", retry_after=wait, status=number
    )


def _no_model(status: int, quote: str, call: Call) -> Fault:
    return errors.NotFound(
        f"{call.title} has no model named {call.model or 'this'}, or this key may not use it. "
        f"Choose another one.{quote}",
        status=status,
    )


def _auth(call: Call) -> str:
    if call.vendor.brought:
        return f"{call.title} does not accept your key. Check it, or make a new one there."
    if not call.vendor.key:
        return f"{call.title} at {call.host} asks for a key, and none is set for it."
    if call.visitor:
        what = "does not accept the key that is set here" if call.key else "needs a key, and none is set here"
        return f"{call.title} {what}. Choose a model of another provider."
    if not call.key:
        return f"{call.title} needs a key. Set {call.vendor.key}."
    return f"{call.title} does not accept the key in {call.vendor.key}. Check it, or make a new one there."


def _key(call: Call) -> str:
    named = "" if call.visitor else call.vendor.key
    return "your key" if call.vendor.brought else named or "the key"


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date) or `retry-after-ms`; None when not said.

    A date is measured against the answer's own `Date`, so that a wrong clock here does not matter.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    value = lower.get("retry-after", "").strip()
    try:
        seconds = float(value) if value else float(lower.get("retry-after-ms", "")) / 1000
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
