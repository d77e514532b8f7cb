"""What happens with an answer, in a few words: the same ones beside the chat and in it."""

from chat.transcript import Phase, Transcript

_NOW: dict[Phase, str] = {
    "connecting": "Connecting",
    "waiting": "Waiting for the model",
    "thinking": "Thinking",
    "writing": "Writing",
    "retrying": "Trying again",
    "over": "Writing",  # the slow paces still show what has come
}


def doing(transcript: Transcript) -> str:
    """What happens at this moment."""
    step = transcript.phase
    match step.phase:
        case "queued":
            return f"Queued, {step.detail} before you" if step.detail not in ("", "0") else "Queued"
        case "calling":
            return f"Preparing {step.detail}"
        case "tool":
            names = [
                call.name for call in transcript.calls if call.running is not None and call.seconds is None
            ]
            if len(names) > 1:
                return f"Running {len(names)} tools"
            return f"Running {(names or [step.detail])[0]}"
        case phase:
            return _NOW[phase]
