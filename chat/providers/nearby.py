"""Is a server on this machine there, and which models has it: one plain request, without an SDK.

Asked often (`chat.catalogue`), so it is cheap for both sides: one connection, closed at once, nothing
imported but the HTTP client. On such a port anything may listen; whatever does not answer with a list of
models in OpenAI's form is not there. Called by `openai_chat`.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from chat.errors import Malformed, Stalled
from chat.providers import faults
from chat.providers.faults import Call

if TYPE_CHECKING:
    import httpx2

ANSWER_TIMEOUT_S: Final = 2.0
"""For the whole answer. A server that is busy with a prompt still answers this at once."""
LARGEST_LIST: Final = 2_000_000
"""Bytes. Ollama's entry of a model has about 100."""


async def page(http: "httpx2.AsyncClient", address: str, call: Call) -> Any:
    """The JSON at `address`. Raises a `Fault` for whatever else is there, and where nothing is."""
    body = bytearray()
    # Closed at once: llama.cpp and others keep one of a few threads for each connection that rests.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            async with http.stream("GET", address, headers=headers) as answer:
                if answer.status_code != 200:
                    await answer.aclose()
                    raise faults.answered(answer.status_code, answer.headers, "", call)
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > LARGEST_LIST:
                        raise Malformed(f"{call.title} sent a list that is too long. {call.address_hint}")
        return json.loads(body)
    except TimeoutError as error:
        raise Stalled(f"{call.title} at {call.host} does not answer in time.") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{call.title} sent no list of models. {call.address_hint}") from error
    except Exception as error:
        if (fault := faults.of(error, call)) is None:
            raise
        raise fault from error


def checked(page: Any, call: Call) -> Any:
    """`page`, where it is a list of models. Raises `Malformed` for anything else, and for our own list: a
    Runnel on such a port has no models but those of others."""
    entries = page.get("data") if isinstance(page, dict) else page
    said = isinstance(page, dict) and page.get("object") == "list"
    models = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    if not (said or any(each.get("object") == "model" for each in models)) or any(map(_ours, models)):
        raise Malformed(f"{call.title} sent no list of models. {call.address_hint}")
    return page


def _ours(entry: Mapping[str, Any]) -> bool:
    owner, id = entry.get("owned_by"), entry.get("id")
    return isinstance(id, str) and isinstance(owner, str) and bool(owner) and id.startswith(f"{owner}:")
