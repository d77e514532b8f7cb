"""Reading a vendor's model list, in any of the shapes that servers give it. Called by the protocols."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from chat.errors import Malformed
from chat.figures import LONGEST_LABEL, label
from chat.models import Model
from chat.providers import faults
from chat.providers.faults import Call

log = logging.getLogger(__name__)

MOST_MODELS: Final = 2000
"""Of one vendor. OpenRouter has some 600. A model beyond can be asked for by its name all the same."""
_LISTS: Final = ("data", "models", "items", "results")
_ODD: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


def entries(page: Any, call: Call) -> list[Mapping[str, Any]]:
    """The entries that have an id. Raises what an error object says.

    Known shapes: `{"data": [...]}` (most), a bare list (Together), `data: null` (nothing there),
    `{"models": [...]}` with names for ids (Ollama's own), objects by their ids, and ids alone.
    """
    if fault := faults.said(page, call):
        raise fault
    if isinstance(page, dict):
        if not any(name in page for name in _LISTS):
            raise Malformed(f"{call.title} sent no list of models.", hint=call.address_hint)
        page = next((page[name] for name in _LISTS if page.get(name)), [])
    found = list(islice(_named(page), MOST_MODELS + 1))
    if len(found) > MOST_MODELS:
        log.warning("the list of %s is longer than %d models: cut", call.vendor.name, MOST_MODELS)
    return found[:MOST_MODELS]


def models(
    found: Iterable[Mapping[str, Any]],
    make: Callable[[str, Mapping[str, Any]], Model],
    call: Call,
    wanted: Callable[[Mapping[str, Any]], bool] = lambda entry: True,
) -> list[Model]:
    """What `make` reads in the entries that are `wanted`; of one that it cannot read, the id alone."""
    made: dict[str, Model] = {}
    for entry in found:
        try:
            if not wanted(entry):
                continue
            model = make(call.vendor.name, entry)
        except _ODD as error:
            log.info("an odd entry in the list of %s: %r", call.vendor.name, error)
            model = Model(call.vendor.name, entry["id"])
        made.setdefault(model.id, model)
    return list(made.values())


def _named(page: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(page, dict):
        page = [{"id": id, **e} if isinstance(e, dict) else {"id": id} for id, e in page.items()]
    for entry in page if isinstance(page, list) else ():
        if isinstance(entry, str):
            entry = {"id": entry}
        if not isinstance(entry, dict):
            continue
        id = entry.get("id") or entry.get("name") or entry.get("model")
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id) if abs(id) < 10**12 else ""
        # One that cannot be drawn, or that no question may name, is none.
        if isinstance(id, str) and id and len(id) <= LONGEST_LABEL and label(id) == id:
            yield {**entry, "id": id}
