"""How large a context the servers on this machine gave the models that they have loaded.

Ollama's and LM Studio's lists in OpenAI's form name models only, and a conversation that is too long they cut
without a word, so it has to be known beforehand. Their own interfaces tell it, of loaded models alone: what a
model could take is no help. Called by `openai_chat` for its list.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chat.figures import size
from chat.providers.vendors import Vendor

_PATHS = {
    "ollama": "/api/ps",  # https://docs.ollama.com/api/ps
    "lmstudio": "/api/v1/models",  # https://lmstudio.ai/docs/developer/rest/list, since 0.4
}


def address(vendor: Vendor) -> str:
    """Where the server tells it; "" where there is nothing to ask."""
    path = _PATHS.get(vendor.name) if vendor.local else None
    parts = urlsplit(vendor.url)
    return f"{parts.scheme}://{parts.netloc}{path}" if path else ""


def contexts(page: Any) -> dict[str, int]:
    """Tokens by the model's id, from either server's answer; nothing from any other."""
    found: dict[str, int] = {}
    models = page.get("models") if isinstance(page, dict) else None
    for model in models if isinstance(models, list) else ():
        if not isinstance(model, dict):
            continue
        for name in (model.get("name"), model.get("model")):
            _add(found, name, model)
        instances = model.get("loaded_instances")
        for instance in instances if isinstance(instances, list) else ():
            if isinstance(instance, dict) and isinstance(config := instance.get("config"), dict):
                for name in (instance.get("id"), model.get("key")):
                    _add(found, name, config)
    return found


def _add(found: dict[str, int], name: Any, told: Mapping[str, Any]) -> None:
    if isinstance(name, str) and (tokens := size(told.get("context_length"))) is not None:
        found.setdefault(name, tokens)
