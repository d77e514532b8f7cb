"""How an answer ended, in a few words that are the same everywhere: page, exports, streams, terminal."""

from chat.events import Stop
from chat.transcript import Transcript

ENDINGS: dict[Stop, str] = {
    "length": "Ended at the length limit",
    "filter": "Ended by the provider’s filter",
    "refusal": "Refused by the model",
    "pause": "Paused by the provider",
    "other": "Perhaps not complete",
}
"""How an answer ended that may be incomplete although nothing failed, by its stop reason."""


def ending(transcript: Transcript) -> str:
    """How the answer of `transcript` ended. It has to be over."""
    if (failure := transcript.failure) is None:
        return ENDINGS.get(transcript.stop or "end", "Done")
    match failure.kind:
        case "stopped":
            return "Stopped"
        case "shutdown":
            return "Interrupted"
        case "cut_off":
            return "Cut off"
        case "stalled" if transcript.length:
            return "Cut off: it fell silent"
        case _:
            return "Failed"


def note(stop: Stop | None) -> str:
    """The last line of an answer in a format that holds text alone; "" for a complete answer."""
    return f"Note: {ENDINGS[stop]}." if stop in ENDINGS else ""
