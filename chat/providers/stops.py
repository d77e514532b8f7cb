"""Why a reply ended, in any vendor's words: a finish reason becomes one of ours, or an error.

No two vendors agree on the words, and gateways pass on those of others, so this table is for all
protocols. Case and separators do not matter. What it does not know is never taken for a complete answer.
Called by the three readings.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chat import errors
from chat.errors import Fault
from chat.events import Notice, Stop
from chat.providers.faults import Call

_SHOWN = 60
"""Characters of a reason in a sentence."""

_NOTHING: Final = frozenset(
    ("", "null", "none", "nil", "undefined", "nan", "false", "unspecified", "inprogress", "running")
)
"""What some servers write in each chunk that does not end anything (KoboldCpp: the text `null`)."""


_KNOWN: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("stop", "stopped", "eos", "eostoken", "endturn", "endofturn", "endoftext", "stopsequence"),
            *("stopseq", "stoptoken", "stopword", "stopstr", "complete", "completed", "finish", "finished"),
            *("done", "end", "ended", "success", "succeeded", "normal", "true"),
        ),
        "end",
    ),
    **dict.fromkeys(("tooluse", "toolcall", "toolcalls", "functioncall", "tool"), "tool_use"),
    **dict.fromkeys(
        ("limit", "budget", "errorlimit", "maxcontext", "maxseqlen", "outputlimit"),  # Cohere: ERROR_LIMIT
        "length",
    ),
    # Gemini: SPII, LANGUAGE (one that it does not serve), MODEL_ARMOR
    **dict.fromkeys(("spii", "language", "modelarmor", "jailbreak", "flagged", "risk"), "filter"),
    **dict.fromkeys(("refusal", "refused", "refuse", "declined"), "refusal"),
    **dict.fromkeys(("pauseturn", "pause", "paused"), "pause"),
    **dict.fromkeys(
        ("malformedresponse", "malformedmodeloutput", "missingthoughtsignature", "toolusefailed"),
        "broken_call",
    ),
    **dict.fromkeys(("insufficientsystemresource", "overloaded", "busy", "preempted", "capacity"), "busy"),
    # Ollama: load, unload (the model went, or came, in the middle of it); Zhipu: network_error
    **dict.fromkeys(("load", "unload", "shutdown", "networkerror", "usercancel", "disconnect"), "cut"),
}

_RULES: Final = tuple(
    (re.compile(words), kind)
    for words, kind in (
        (
            r"(malformed|unexpected|invalid|missing|bad|toomany|broken|fail).*(call|tool|function)",
            "broken_call",
        ),
        (r"(call|tool|function).*(malformed|unexpected|invalid|error|fail)", "broken_call"),
        (r"filter|safety|moderat|guardrail|sensitiv|prohibit|block|toxic|recit|policy|censor|harm", "filter"),
        (r"context|length|max.*token|token.*(limit|budget)|toolong|truncat|maxoutput|window", "length"),
        (r"abort|cancel|interrupt|timeout|timedout|disconnect|networkerror", "cut"),
        (r"overload|capacity|toobusy|exhausted", "busy"),
        (r"error|fail|exception|crash", "error"),
        (r"refus", "refusal"),
        (r"toolcall|tooluse|functioncall", "tool_use"),
    )
)


@dataclass(frozen=True, slots=True)
class Ending:
    """`stop` in our words; `fault` where the reason is an error; `words` are the vendor's, fit to show."""

    stop: Stop
    words: str = ""
    fault: Fault | None = None

    @property
    def rank(self) -> int:
        """The higher tells more, where a server gives several: a plain end may come too early."""
        return 1 if self.stop == "other" else 2 if self.stop in ("end", "tool_use") else 3

    def notices(self, call: Call) -> Iterable[Notice]:
        if self.stop == "other":
            why = f"with the reason “{self.words}”" if self.words else "early, and did not say why"
            yield Notice("ended", f"{call.title} ended the answer {why}. It may not be complete.")


def ending(reason: Any, call: Call) -> Ending | None:
    """What `reason` says, whatever it is written as; None when it says nothing."""
    reason = _text(reason)
    plain = re.sub(r"[^a-z0-9]", "", reason.lower()).removeprefix("finishreason")
    if plain in _NOTHING and not (plain == "" and reason.strip()):
        return None
    kind = _KNOWN.get(plain) or next((kind for words, kind in _RULES if words.search(plain)), "other")
    shown = call.clean(reason)[:_SHOWN]
    match kind:
        case "end" | "tool_use" | "length" | "filter" | "refusal" | "pause" | "other":
            return Ending(kind, shown)
        case "broken_call":
            fault = errors.Server(
                f"The model of {call.title} wrote a tool call that {call.title} could not read. "
                "Ask again, or switch tools off."
            )
        case "busy":
            fault = errors.Overloaded(
                f"{call.title} broke off because it is too busy. Ask again in a moment."
            )
        case "cut":
            fault = errors.CutOff(f"{call.title} gave up in the middle of the answer. Ask again.")
        case _:
            fault = errors.Server(f"{call.title} broke off with an error. Ask again.")
    return Ending("other", shown, fault)


def unsaid(call: Call) -> Notice:
    """The answer was told to be over, and not why."""
    return Notice(
        "end_without_reason", f"{call.title} did not say why the answer ended. It may not be complete."
    )


def _text(reason: Any) -> str:
    """SGLang has an object with a `type`."""
    if isinstance(reason, dict):
        reason = next((reason[name] for name in ("type", "reason", "name", "value") if name in reason), "")
    if isinstance(reason, list):
        reason = next(iter(reason), "")
    if isinstance(reason, bool):
        return str(reason).lower()
    return str(reason) if isinstance(reason, str | int) else ""
