"""Which models there are, what each accepts, and what it was seen to refuse.

Lists are fetched from the vendors, kept for a while and never hard-coded; servers on this machine
are listed when they answer. Lists arrive in the background: nothing waits for them, and a model
that no list names can be asked for all the same. How a vendor is spoken to is the providers' business.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chat.context import Window
from chat.errors import Config, Fault, NotFound
from chat.models import Model
from chat.providers import Provider
from chat.settings import Settings

log = logging.getLogger(__name__)

FRESH = 600.0
"""Seconds that a list is good for."""
PATIENCE = 10.0
"""Seconds that a vendor may take to answer with its list."""
NEARBY = 0.3
"""Seconds within which a server on this machine answers, or is not there."""
CUSTOMARY = "openai:gpt-4o-mini"
"""The default where OpenAI can be asked and nothing else was chosen."""


@dataclass(frozen=True, slots=True)
class Range:
    """Temperatures that may be sent; with a `reason`, none may."""

    low: float
    high: float
    reason: str = ""


class Catalogue:
    """`providers` by the vendor's name, all that may be asked for, in the order of the menu.

    `missing` has a sentence for each vendor that cannot be asked. `hidden` names can be asked for
    but are not listed.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        missing: Mapping[str, str] | None = None,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self._settings, self._providers = settings, providers
        self._missing, self._hidden = missing or {}, hidden
        self._lists: dict[str, dict[str, Model]] = {}
        self._faults: dict[str, str] = {}
        self._refused: dict[tuple[str, str], set[str]] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self._fetched = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self.version = 0
        """Grows when the menu changes."""

    # -- for the menu ------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The models of the menu, as `vendor:id`."""
        listed = [model.name for models in self._lists.values() for model in models.values()]
        if not self._settings.models:
            return listed
        return [self._full(name) for name in self._settings.models]

    @property
    def default(self) -> str:
        """The model for those who chose none."""
        if self._settings.model:
            return self._full(self._settings.model)
        if self._settings.models:
            return self._full(self._settings.models[0])
        listed = self._lists.get("openai")
        if "openai" in self._providers and (not listed or CUSTOMARY.partition(":")[2] in listed):
            return CUSTOMARY
        others = [name for name in self.names() if not name.startswith("demo:")]
        return next(iter(others), None) or next(iter(self.names()), "demo:tour")

    @property
    def vendors(self) -> frozenset[str]:
        """The names that may stand before a model's, whether they can be asked now or not."""
        return frozenset(self._providers) | frozenset(self._missing)

    def default_of(self, vendor: str) -> str:
        """The model for those who chose none but `vendor`. No more than `vendor:` when none is known."""
        known = [name for name in (self.default, *self.names()) if name.startswith(f"{vendor}:")]
        return known[0] if known else CUSTOMARY if CUSTOMARY.startswith(f"{vendor}:") else f"{vendor}:"

    @property
    def faults(self) -> dict[str, str]:
        """Why the list of a vendor is not there, in a sentence, by the vendor's name."""
        return dict(self._faults)

    @property
    def keyless(self) -> bool:
        """Whether the demo is all there is."""
        return not any(name != "demo" and name not in self._hidden for name in self._lists) and not any(
            not provider.vendor.local and name != "demo" for name, provider in self._providers.items()
        )

    # -- for the engine ----------------------------------------------------------------------

    def find(self, name: str) -> tuple[Provider, Model]:
        """Who serves `name`, and what is known of it. Raises `Config` or `NotFound`."""
        full = self._full(name)
        if self._settings.models and full not in self.names():
            raise NotFound(f"{name} is not among the models that are offered here. Choose one of the menu.")
        vendor, _, id = full.partition(":")
        if (provider := self._providers.get(vendor)) is None:
            why = self._missing.get(vendor, f"No vendor is called {vendor}.")
            if full != name.strip():
                why = (
                    f"{name} is no model of the menu; without a vendor before it, it would be OpenAI's. {why}"
                )
            raise Config(why)
        if not id.strip():
            raise NotFound("No model is named. Choose one of the menu, or write vendor:model.")
        listed = self._lists.get(provider.vendor.name, {})
        return provider, listed.get(id) or Model(vendor, id)

    def temperature(self, name: str) -> Range:
        """What may be sent to `name` as its temperature."""
        try:
            provider, model = self.find(name)
        except Fault:
            return Range(0, 2)
        high = provider.vendor.max_temperature
        if model.temperature is False or "temperature" in self.refused(model):
            return Range(0, high, f"{model.id} takes no temperature.")
        return Range(0, high)

    def efforts(self, name: str) -> tuple[str, ...]:
        """The thinking efforts that `name` is known to have."""
        try:
            return self.find(name)[1].efforts
        except Fault:
            return ()

    def refused(self, model: Model) -> frozenset[str]:
        """Names of body parameters that `model` was seen to refuse."""
        return frozenset(self._refused.get(self._where(model), ()))

    def refuse(self, model: Model, parameter: str) -> None:
        self._refused.setdefault(self._where(model), set()).add(parameter)
        self.version += 1

    def window(self, model: Model) -> Window:
        """The context of `model`: what its vendor lists, unless a refusal told better."""
        learned = self._windows.get(self._where(model), Window())
        return replace(learned, limit=learned.limit or model.context)

    def learn(self, model: Model, window: Window) -> None:
        listed = window.limit == model.context  # the list may tell another size tomorrow
        self._windows[self._where(model)] = replace(window, limit=None) if listed else window
        provider = self._providers.get(model.vendor)
        if provider is not None and provider.vendor.local and window.limit is None:
            self._begin(model.vendor)  # it is loaded now, so that its server may tell the size

    # -- fetching ----------------------------------------------------------------------------

    def refresh(self) -> "asyncio.Task[None] | None":
        """Fetches the lists in the background when they are not fresh. The task, while it goes on."""
        now = asyncio.get_running_loop().time()
        if self._fetching is None and now - self._fetched >= FRESH:
            self._fetched = now
            self._begin(*self._providers)
        return self._fetching

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _begin(self, *names: str) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_all(names), name="model lists")
            self._fetching.add_done_callback(self._fetched_all)

    def _fetched_all(self, task: "asyncio.Task[None]") -> None:
        self._fetching = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fetching the model lists: a bug", exc_info=error)

    async def _fetch_all(self, names: tuple[str, ...]) -> None:
        listed = {name: each for name, each in self._providers.items() if name not in self._hidden}
        # The place in the menu is the place in the table, whoever answers first.
        await asyncio.gather(
            *(self._fetch(name, listed[name], list(listed)) for name in names if name in listed)
        )

    async def _fetch(self, name: str, provider: Provider, order: list[str]) -> None:
        nearby = provider.vendor.local
        try:
            async with asyncio.timeout(NEARBY if nearby else PATIENCE):
                models = {model.id: model for model in await provider.models()}
        except (Fault, TimeoutError) as error:
            if nearby:
                changed = self._lists.pop(name, None) is not None
            else:
                changed = False
                why = error.message if isinstance(error, Fault) else "no answer in time"
                self._faults[name] = why
                log.warning("no list of models from %s: %s", name, why)
        else:
            self._faults.pop(name, None)
            changed = self._lists.get(name) != models
            self._lists[name] = models
            self._lists = {key: self._lists[key] for key in order if key in self._lists}
        self.version += changed

    # -- names -------------------------------------------------------------------------------

    def _full(self, name: str) -> str:
        """`vendor:id`. A name is split at its first colon only if a vendor stands before it."""
        name = name.strip()
        vendor, colon, _ = name.partition(":")
        if colon and (vendor in self._providers or vendor in self._missing):
            return name
        lister = next((vendor for vendor, models in self._lists.items() if name in models), "openai")
        return f"{lister}:{name}"

    def _where(self, model: Model) -> tuple[str, str]:
        provider: Callable[[str], Provider | None] = self._providers.get
        found = provider(model.vendor)
        return (found.vendor.url if found else model.vendor, model.id)
