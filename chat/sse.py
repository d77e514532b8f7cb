"""Reading and writing server-sent events: bytes in, events out, and back.

`Decoder` takes bytes cut anywhere and accepts all that the WHATWG rules allow: LF, CR and CRLF, a
byte order mark, comments, `data:` with or without a space, several data lines, fields without a
colon, unknown fields. What a payload means is not known here. `providers.wire` reads vendors'
streams with it; the HTTP face and the tests write with `encode` and `comment`.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from dataclasses import dataclass

from chat.errors import Fault, Malformed, TooLarge

LIMIT = 4 * 1024 * 1024
"""Bytes of one event. The largest recorded event of a vendor has some 50 kB; this bounds the memory."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """`event` is "" where the stream names none (the rules then say `message`)."""

    data: str
    event: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A line that begins with a colon: nothing is said, but the line is alive."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that the rules know nothing of, to be passed over. Some servers tell an error in one."""

    line: str


class Decoder:
    """Incremental: feed it bytes as they come. One stream, one decoder.

    An event counts when its blank line has arrived. What the end of the stream cut off is dropped, as the
    rules say, unless the caller asks `rest` for it.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.fault: Fault | None = None
        """Why nothing more can be read. Set after everything before it has been returned."""
        self.limit = limit
        """Bytes of one event. May change between two chunks."""
        self._line = bytearray()  # an unfinished one
        self._size = 0  # bytes of the event so far, its unfinished line included
        self._after_cr = False
        self._first = True
        self._data: list[str] = []
        self._event = ""
        self._id = ""

    def rest(self) -> list[ServerSentEvent | Comment | Stray]:
        """At the end of the stream: the event that lacks its blank line. It may not be whole."""
        return [] if self.fault else self.feed(b"\n\n")

    def feed(self, chunk: bytes) -> list[ServerSentEvent | Comment | Stray]:
        """The events that `chunk` completes. Raises `fault` if it was set before."""
        if self.fault:
            raise self.fault
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 10:  # the second half of a CRLF
                chunk = chunk[1:]
        found: list[ServerSentEvent | Comment | Stray] = []
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
        if end:
            self._after_cr = chunk[end - 1] == 13
            whole, chunk = chunk[:end], chunk[end:]
            if self._line:
                self._size -= len(self._line)
                whole = bytes(self._line + whole)
                self._line.clear()
            try:
                self._lines(whole, found)
            except UnicodeDecodeError as error:
                self.fault = Malformed(
                    "The answer holds bytes that are not UTF-8 text. Asking again may help."
                )
                self.fault.__cause__ = error
            except Fault as fault:
                self.fault = fault
        if chunk and not self.fault:
            self._line += chunk
            self._size += len(chunk)
            if self._size > self.limit:
                self.fault = self._too_large()
        return found

    def _lines(self, whole: bytes, found: list[ServerSentEvent | Comment | Stray]) -> None:
        data = self._data
        for line in whole.splitlines():  # of bytes: at LF, CR and CRLF only
            if self._first:
                self._first = False
                line = line.removeprefix(_BOM)
            if not line:
                if data or self._event == "error":
                    found.append(ServerSentEvent("\n".join(data), self._event, self._id))
                    data.clear()
                self._event = ""
                self._size = 0
                continue
            self._size += len(line)
            if self._size > self.limit:
                raise self._too_large()
            if line.startswith(b"data: "):
                data.append(line[6:].decode())
                continue
            name, _, value = line.decode().partition(":")
            value = value.removeprefix(" ")
            if not name:
                found.append(Comment(value))
                self._size -= len(line)  # a comment belongs to no event
            elif name == "data":
                data.append(value)
            elif name == "event":
                self._event = value
            elif name == "id":
                self._id = self._id if "\0" in value else value
            elif name != "retry":
                found.append(Stray(line.decode()))

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"One piece of the answer is larger than {self.limit // 1024:,} KiB, which no answer needs. "
            "The server may be faulty."
        )


def encode(data: str, *, event: str = "", id: str = "") -> bytes:
    """One event. Each line of `data` becomes a data line; CR and CRLF come out as LF."""
    names = event + id
    if "\n" in names or "\r" in names or "\0" in names:
        raise ValueError("an event's name and id are single lines")
    head = (f"event: {event}\n" if event else "") + (f"id: {id}\n" if id else "")
    if "\n" in data or "\r" in data:
        data = data.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\ndata: ")
    return f"{head}data: {data}\n\n".encode()


def comment(text: str = "") -> bytes:
    """A comment, which readers ignore: it keeps the line alive."""
    return f": {' '.join(text.splitlines())}\n\n".encode()
