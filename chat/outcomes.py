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
"""Of the answers that may lack something though nothing failed. Any other is done."""


def ending(transcript: Transcript) -> str:
    """How it ended."""
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
    """The line below an answer that is nothing but text, and so has no other place for how it ended; nothing
    below one that is done."""
    return f"Note: {ENDINGS[stop]}." if stop in ENDINGS else ""
