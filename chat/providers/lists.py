"""Reading a vendor's model list, in any of the shapes that servers give it. Called by the protocols."""

from collections.abc import Mapping
from typing import Any

from chat.errors import Malformed
from chat.providers import faults
from chat.providers.faults import Call


def entries(page: Any, call: Call) -> list[Mapping[str, Any]]:
    """The entries that have an id. Raises what an error object says.

    Known shapes: `{"data": [...]}` (most), a bare list (Together), `data: null` (nothing there),
    `{"models": [...]}` with names for ids (Ollama's own).
    """
    if fault := faults.said(page, call):
        raise fault
    if isinstance(page, dict):
        if "data" not in page and "models" not in page:
            raise Malformed(f"{call.title} sent no list of models. {call.address_hint}")
        page = page.get("data") or page.get("models") or []
    found = [{**e, "id": e.get("id") or e.get("name")} for e in page if isinstance(e, dict)]
    return [entry for entry in found if isinstance(entry["id"], str) and entry["id"]]
