"""The log's one line for each turn: figures always, texts only when asked for, keys never.

Written by a run when it is over. It is JSON, so control characters are escaped by construction.
"""

import json
from collections.abc import Sequence
from operator import sub

from chat.transcript import Transcript

LONGEST = 200
"""Characters of a name, which may be what somebody sent, or a model made up."""


def line(run: str, transcript: Transcript, times: Sequence[float], question: str | None) -> str:
    """`times` are those of the events, in seconds. With a `question`, the texts are in it."""
    failure, usage = transcript.failure, transcript.usage
    figures = {
        "run": run,
        "model": transcript.model[:LONGEST],
        "outcome": transcript.state,
        "kind": failure.kind if failure else None,
        "stop": transcript.stop,
        "first_text": _rounded(transcript.first_text),
        "seconds": _rounded(transcript.ended),
        "longest_gap": _rounded(max(map(sub, times[1:], times), default=0)),
        "characters": transcript.length,
        "input": usage.input,
        "output": usage.output,
        "tools": [call.name[:LONGEST] for call in transcript.calls],
    }
    if question is not None:
        figures |= {"question": question, "answer": transcript.text}
    return json.dumps(figures)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
