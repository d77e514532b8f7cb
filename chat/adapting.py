"""What a request becomes for a model that takes less of it: whose template knows no system prompt, or wants
questions and answers strictly in turn.

Pure. `attempts` calls it for each request, with what the model was seen to refuse in `omit`. Nothing is left
out: it is said in another place.
"""

from dataclasses import replace

from chat.messages import Assistant, Message, Request, Text, User

LESS = {
    "system": "{} takes no system prompt: it was put before the first question.",
    "roles": "{} wants questions and answers in turn: those of the same side were put together.",
}
"""Parts of a request that can be said otherwise, and what a person is told of it."""


def adapted(request: Request) -> Request:
    """`request` as its model takes it."""
    if "system" in request.omit and request.system:
        request = replace(request, messages=_told(request.messages, request.system), system=None)
    if "roles" in request.omit:
        request = replace(request, messages=_in_turn(request.messages), history=0)
    return request


def _told(messages: tuple[Message, ...], system: str) -> tuple[Message, ...]:
    at = next((n for n, message in enumerate(messages) if isinstance(message, User)), None)
    if at is None:
        return (User(system), *messages)
    question = messages[at]
    assert isinstance(question, User)
    return (*messages[:at], User(f"{system}\n\n{question.text}"), *messages[at + 1 :])


def _in_turn(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    made: list[Message] = []
    for message in messages:
        match (made[-1] if made else None, message):
            case (User(before), User(text)):
                made[-1] = User(f"{before}\n\n{text}")
            case (Assistant(before), Assistant(parts)):
                made[-1] = Assistant((*before, Text("\n\n"), *parts))
            case _:
                made.append(message)
    return tuple(made)
