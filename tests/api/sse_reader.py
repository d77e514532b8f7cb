"""An event stream, read as the WHATWG rules say, by nothing of the program's own: for the tests alone.

`read` takes the whole body. What a browser's EventSource would dispatch, and the comments beside it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    data: str
    event: str
    id: str
    """The last event id so far, as EventSource reports it."""


@dataclass
class Stream:
    messages: list[Message] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    rest: str = ""
    """What stood behind the last blank line: an event that never came to its end."""

    @property
    def data(self) -> list[str]:
        return [message.data for message in self.messages]


def read(body: bytes) -> Stream:
    text = body.decode("utf-8")  # strictly: a stream of ours is never anything else
    assert "\r" not in text
    stream, data, event = Stream(), list[str](), ""
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1]):
        if line == "":
            if data:
                stream.messages.append(Message("\n".join(data), event or "message", stream.last_id))
            data, event = [], ""
            stream.rest = "\n".join(lines[number + 1 :])
        elif line[0] == ":":
            stream.comments.append(line[1:].lstrip(" "))
        else:
            name, colon, value = line.partition(":")
            assert colon, f"a line that means nothing: {line!r}"
            value = value[1:] if value.startswith(" ") else value
            assert name in ("data", "event", "id"), f"a field that nobody knows: {line!r}"
            if name == "data":
                data.append(value)
            elif name == "event":
                event = value
            else:
                stream.last_id = value
    return stream
