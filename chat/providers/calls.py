"""A request as far as a sentence about its failure needs it. Made by the protocols for `faults`."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chat import errors
from chat.messages import Request
from chat.providers.back import names
from chat.providers.vendors import Vendor

QUOTED = 300
"""Characters of a vendor's own words in a sentence of ours."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as far as a sentence about its failure needs it. `sent` holds its body's top-level names."""

    vendor: Vendor
    key: str = field(default="", repr=False)
    sent: frozenset[str] = frozenset()
    model: str = ""
    system: bool = False
    """Whether it holds a system prompt."""
    effort: bool = False
    """Whether its asker chose how much the model thinks."""

    @classmethod
    def to(cls, vendor: Vendor, key: str, body: Mapping[str, Any], request: Request) -> "Call":
        """`body`: what `request` is for the vendor."""
        said = body.get("messages")
        first = said[0] if isinstance(said, list) and said and isinstance(said[0], dict) else {}
        system = bool({"system", "instructions"} & set(body)) or first.get("role") in ("system", "developer")
        sent = frozenset(body) | names(request.messages, vendor.name)
        return cls(vendor, key, sent, str(body.get("model", "")), system, bool(request.effort))

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
        """For the operator."""
        name = self.vendor.url_variable
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
        return errors.redact(text[: 20 * QUOTED], [self.key] if self.key else [])[: 10 * QUOTED]

    @property
    def key_name(self) -> str:
        return "your key" if self.vendor.brought else "the key"

    @property
    def key_hint(self) -> str:
        """Where the key is, for the operator."""
        return f"The key is in {self.vendor.key}." if self.vendor.key and not self.vendor.brought else ""
