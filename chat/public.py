"""What a visitor may read of an event: no address, host, port, path, or name of a setting.

Our own sentences keep these in a fault's `hint`, which visitors are not told. What is left are words of
vendors and names of models, which may hold anything: here they are taken out of whatever is told to somebody
who is not the operator. Called by the engine, so that no interface has to remember it.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from chat.events import Notice, RequestSent, Retrying, TurnFailed

Told = Notice | Retrying | RequestSent | TurnFailed
"""The events that tell of what stands behind an answer."""

_ADDRESS, _PATH, _SETTING = "[address]", "[path]", "[setting]"
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE if flags else 0), instead)
    for pattern, flags, instead in (
        (r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>“”`]{1,2000}", True, _ADDRESS),
        (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.]*\w)", False, _ADDRESS),
        (r"\[[0-9a-f:.%\w]{2,60}\](?::\d{1,5})", True, _ADDRESS),
        (
            r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}(?![\w:])"
            r"|(?<![\w:])::1?(?![\w:])",
            True,
            _ADDRESS,
        ),
        (
            r"(?<![\w.-])(?!\d{4}-\d\d-\d\dT)(?=[\w.-]*[a-z])[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}:\d{2,5}(?![\w.]*\w)",
            True,
            _ADDRESS,
        ),
        (
            r"(?<![\w.@-])(?:[\w-]{1,63}\.){1,8}(?:local|lan|internal|intranet|corp|home|localdomain"
            r"|svc|arpa|com|net|org"
            r"|io|ai|dev|cloud|app|info|test|example|invalid|localhost|eu|de|fr|uk|cn|jp|us|in|br"
            r"|co)(?![\w-]|\.\w)",
            True,
            _ADDRESS,
        ),
        (r"\blocalhost\b", True, _ADDRESS),
        (r"(?<![\w.~/])(?:~|\.{1,2})?(?:/[\w.@+%~-]{1,255}){2,40}/?", False, _PATH),
        (r"\b[A-Za-z]:\\[^\s\"'<>|]{1,500}|\\\\[\w.-]{1,63}\\[^\s\"'<>|]{1,500}", False, _PATH),
        (
            r"\b(?:CHAT|GRADIO|SSL|HF)_[A-Z0-9_]{2,60}\b|\b[A-Z][A-Z0-9_]{1,60}_(?:KEY|TOKEN|URL|PROXY"
            r"|SECRET|HOST|PATH|DIR)\b",
            False,
            _SETTING,
        ),
        (r"(?<![\w/])\.env\b", False, _SETTING),
    )
)


class Public:
    """`urls`: the addresses that vendors are asked at; their hosts are named to nobody, in whatever form."""

    def __init__(self, urls: Iterable[str] = ()) -> None:
        hosts = {urlsplit(url).hostname or "" for url in urls} | {socket.gethostname()}
        names = sorted((re.escape(h) for h in hosts if len(h) > 2), key=len, reverse=True)
        self._hosts = re.compile(rf"(?<![\w.-])(?:{'|'.join(names)})(?::\d+)?(?![\w-])", re.IGNORECASE)
        self._named = bool(names)

    def event(self, event: Told) -> Told:
        """`event` as a visitor may read it."""
        match event:
            case RequestSent(url):
                return replace(event, url=urlsplit(url).path)
            case Notice() | Retrying():
                return replace(event, text=self.text(event.text))
            case TurnFailed(failure):
                return TurnFailed(replace(failure, message=self.text(failure.message)))

    def text(self, text: str) -> str:
        """`text` without what only the operator may read."""
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return self._hosts.sub(_ADDRESS, text) if self._named else text
