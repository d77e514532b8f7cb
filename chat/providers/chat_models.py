"""What the model lists of Chat Completions servers tell about a model. Called by `openai_chat`.

Everybody gives an id; the rest has a name of its own at each vendor. Where nothing is said, nothing is
known: None, never a guess. The shapes of the list itself are read in `lists`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chat.figures import size
from chat.models import Model
from chat.providers.openai_models import known

_CONTEXT = (
    "loaded_context_length",  # LM Studio: what it gave the model, not what the model could take
    "context_length",
    "context_window",
    "max_context_length",
    "max_model_len",
    "context_size",
)
_OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_output_length")
_OTHER_TYPES = (
    "embed",
    "image",
    "audio",
    "video",
    "speech",
    "transcri",
    "rerank",
    "moderation",
    "code-completion",
)
_OTHER_NAMES = re.compile(
    r"(^|[-_/.:])(embed(ding)?s?|rerank\w*|whisper|tts|transcribe|realtime|moderation|dall-e|sora|gpt-image|orpheus"
    r"|babbage|davinci|playai)(?![a-z])|text-embedding|(nomic|mxbai)-embed|^bge-",
    re.IGNORECASE,
)


def chats(entry: Mapping[str, Any]) -> bool:
    """Whether it answers questions with text. Unknown counts as yes."""
    kind = f"{entry.get('type') or ''} {entry.get('task') or ''}".lower()
    if any(word in kind for word in _OTHER_TYPES):
        return False
    if _of(entry, "capabilities").get("completion_chat") is False:  # Mistral
        return False
    modalities = _of(entry, "architecture").get("output_modalities")
    if isinstance(modalities, list) and modalities and "text" not in modalities:
        return False
    return not _OTHER_NAMES.search(entry["id"])


def listed(vendor: str, entry: Mapping[str, Any]) -> Model:
    """One entry of the list, which has an id."""
    takes = entry.get("supported_parameters")  # OpenRouter, and others after it
    takes = frozenset(p for p in takes if isinstance(p, str)) if isinstance(takes, list) else None
    top, can, reasoning = _of(entry, "top_provider"), _of(entry, "capabilities"), _of(entry, "reasoning")
    hosts = entry.get("providers")  # Hugging Face's router
    hosts = [h for h in hosts if isinstance(h, dict)] if isinstance(hosts, list) else []
    tools = "tools" in takes if takes is not None else _flag(can.get("function_calling"))
    if hosts and tools is None:
        said = [h["supports_tools"] for h in hosts if isinstance(h.get("supports_tools"), bool)]
        tools = any(said) if said else None
    efforts = reasoning.get("supported_efforts")
    if not isinstance(efforts, list):
        efforts = ["low", "medium", "high"] if takes and "reasoning_effort" in takes else []
    title = entry.get("display_name") or entry.get("name")
    model = Model(
        vendor,
        entry["id"],
        title=title if isinstance(title, str) and title != entry["id"] else "",
        context=_first(_CONTEXT, top, entry, _of(entry, "meta"))
        or _largest(hosts)
        or _first(("n_ctx", "n_ctx_train"), _of(entry, "meta")),
        max_output=_first(_OUTPUT, top, entry),
        temperature="temperature" in takes if takes is not None else None,
        tools=tools,
        thinking="always" if reasoning.get("mandatory") is True else None,
        efforts=tuple(effort for effort in efforts if isinstance(effort, str)),
    )
    return known(model)


def _largest(hosts: Sequence[Mapping[str, Any]]) -> int | None:
    """Which host answers is not known; a smaller one says so, and that is learned."""
    return max(filter(None, (_first(_CONTEXT, host) for host in hosts)), default=None)


def _of(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _first(names: tuple[str, ...], *places: Mapping[str, Any]) -> int | None:
    """The first positive number under any of `names`."""
    for place in places:
        for name in names:
            if (value := size(place.get(name))) is not None:
                return value
    return None
