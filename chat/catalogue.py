"""Which models there are, what each accepts, and what it was seen to refuse.

Lists are fetched from the vendors, kept for a while and never hard-coded; servers on this machine
are listed when they answer. Lists arrive in the background: nothing waits for them, and a model
that no list names can be asked for all the same. How a vendor is spoken to is the providers' business;
what one owner sees of all this is a `Menu`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from chat.context import Window
from chat.errors import Config, Fault, Stalled
from chat.menu import Menu
from chat.models import Model
from chat.owners import LOCAL
from chat.providers import Loading, Provider
from chat.settings import Settings
from chat.wallet import Own, Wallet

log = logging.getLogger(__name__)

FRESH = 600.0
"""Seconds that a list is good for."""
RETRY = 15.0
"""Seconds after which a vendor whose list did not come is asked again: at its start a machine may have no
network yet."""
PATIENCE = 10.0
"""Seconds that a vendor may take to answer with its list."""
LOOK_AGAIN_S = 15.0
"""Between two looks for servers on this machine while none is there, and somebody looks at a page."""
LOOK_AGAIN_FOUND_S = 60.0
"""… while one is there."""
LOOK_AT_ONCE_S = 1.0
"""… when the menu is opened."""
MAX_LEARNED_MODELS = 2000
"""Models in each table of learned facts. A request may invent model names, so the oldest entry is dropped."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The catalogue's memory of models, as one owner's questions use it. What was refused to a key that the
    owner brought stays with that key: OpenAI streams some models to verified organisations only, and a free
    key takes less at once. An estimate from an owner's own texts is used for that owner alone."""

    catalogue: "Catalogue"
    owner: str
    own: Mapping[str, Own]
    """The owner's keys when the question began. One may be replaced or forgotten meanwhile: what the vendor
    says is about the key that it was asked with."""
    worked: Callable[[Own], None]
    """Called with the key that a vendor answered to."""
    left: set[tuple[Model, str]] = field(default_factory=set[tuple[Model, str]])
    """(model, parameter): the model refused the parameter's value in this turn."""

    def refused(self, model: Model) -> frozenset[str]:
        own, left = self._own(model), {name for each, name in self.left if each == model}
        return self.catalogue.refused(model) | left | (own.refused.get(model.id, set()) if own else set())

    def leave(self, model: Model, parameter: str) -> None:
        self.left.add((model, parameter))

    def refuse(self, model: Model, parameter: str) -> None:
        if own := self._own(model):
            own.refused.setdefault(model.id, set()).add(parameter)
        else:
            self.catalogue.refuse(model, parameter)

    def window(self, model: Model) -> Window:
        if own := self._own(model):
            return own.windows.get(model.id, Window(model.context))
        told, mine = self.catalogue.window(model), self.catalogue.reckoned(self.owner, model)
        if mine is None:
            return told
        if mine.limit is None or (told.limit is not None and told.limit <= mine.limit):
            return replace(told, ratio=mine.ratio)
        return mine

    def learn(self, model: Model, window: Window) -> None:
        if own := self._own(model):
            own.windows[model.id] = window
            return
        told = self.catalogue.window(model)
        self.catalogue.learn(model, told if window.guessed else replace(told, limit=window.limit))
        self.catalogue.reckon(self.owner, model, window if window.guessed else replace(window, limit=None))

    def answered(self, model: Model) -> None:
        if own := self._own(model):
            self.worked(own)

    def _own(self, model: Model) -> Own | None:
        return next((own for own in self.own.values() if model.vendor in own.providers), None)


class Catalogue:
    """`providers` by the vendor's name, all that may be asked for, in the order of the menu.

    `missing` says of each vendor that cannot be asked why. `hidden` names can be asked for
    but are not listed. `private` ones spend a key that is the owner's at this machine alone; others ask
    with the keys that they have in the `wallet`.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        missing: Mapping[str, Config] | None = None,
        hidden: frozenset[str] = frozenset(),
        private: frozenset[str] = frozenset(),
        wallet: Wallet | None = None,
    ) -> None:
        self._settings, self._providers = settings, providers
        self._missing, self._hidden, self._private = missing or {}, hidden, private
        self._wallet = wallet or Wallet(settings)
        self._lists: dict[str, dict[str, Model]] = {}
        self._faults: dict[str, str] = {}
        self._refused: dict[tuple[str, str], set[str]] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self._reckoned: dict[tuple[str, str, str], Window] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._silent: set[str] = set()
        """Servers on this machine that are there, but did not answer in time when they were last asked."""
        self._loading: set[asyncio.Task[None]] = set()
        self.gone: frozenset[str] = frozenset()
        """Servers on this machine that were there, and are not any more."""
        self.version = 0
        """Grows when the menu of all changes."""

    def of(self, owner: str) -> Menu:
        """What `owner` may ask now; "" is anybody."""
        own = self._wallet.of(owner)
        private = frozenset() if owner == LOCAL else self._private
        providers = {name: each for name, each in self._providers.items() if name not in private}
        lists: dict[str, Mapping[str, Model]] = {
            name: models for name, models in self._lists.items() if name not in private
        }
        for name, each in own.items():
            providers |= each.providers
            lists[name] = each.models
        order = {name: place for place, name in enumerate((*self._wallet.vendors, *self._providers))}
        missing = dict(self._missing) if owner == LOCAL else self._advice(providers)
        return Menu(
            self._settings,
            providers,
            {name: lists[name] for name in sorted(lists, key=lambda name: order.get(name, len(order)))},
            missing,
            self._hidden,
            private - frozenset(providers),
            self.known(owner).refused,
        )

    def _advice(self, providers: Mapping[str, Provider]) -> dict[str, Config]:
        """What somebody without the owner's keys may do, by the name of each vendor that cannot be asked."""
        found = dict(self._missing)
        for name, vendor in self._wallet.vendors.items():
            if name not in providers and self._wallet.takes(name):
                found[name] = Config(
                    f"{vendor.title} needs a key: put your own into “Your keys” in the sidebar, "
                    "or choose a demo model.",
                    hint=f"Or put {vendor.key}=… into the file .env and start again.",
                )
        for name in self._private - frozenset(providers):
            found[name] = found[self._providers[name].vendor.name]  # second names too
        return found

    def version_of(self, owner: str) -> str:
        """Another one when the menu of `owner` changes."""
        return f"{self.version}.{self._wallet.version(owner)}"

    @property
    def faults(self) -> dict[str, str]:
        """Why the list of a vendor is not there, in a sentence, by the vendor's name."""
        return dict(self._faults)

    # -- for the engine ----------------------------------------------------------------------

    def known(self, owner: str) -> "_Known":
        """What is remembered of models. All owners share it, but for what may depend on a key."""
        return _Known(self, owner, dict(self._wallet.of(owner)), partial(self._wallet.worked, owner))

    def refused(self, model: Model) -> frozenset[str]:
        """Names of body parameters that `model` was seen to refuse."""
        return frozenset(self._refused.get(self._where(model), ()))

    def refuse(self, model: Model, parameter: str) -> None:
        self._refused.setdefault(self._where(model), set()).add(parameter)
        _bound(self._refused)
        self.version += 1

    def window(self, model: Model) -> Window:
        """The context of `model`: what its vendor lists, unless a refusal told better."""
        learned = self._windows.get(self._where(model), Window())
        return replace(learned, limit=learned.limit or model.context)

    def reckoned(self, owner: str, model: Model) -> Window | None:
        """The context of `model` as estimated from the questions of `owner`, for `owner` alone."""
        return self._reckoned.get((owner, *self._where(model)))

    def reckon(self, owner: str, model: Model, window: Window) -> None:
        where = (owner, *self._where(model))
        self._reckoned.pop(where, None)
        self._reckoned[where] = window
        _bound(self._reckoned)

    def learn(self, model: Model, window: Window) -> None:
        listed = window.limit == model.context  # the list may tell another size tomorrow
        learned = replace(window, limit=None) if listed else window
        if learned == Window():  # whoever asks may invent names of models
            self._windows.pop(self._where(model), None)
        else:
            self._windows[self._where(model)] = learned
            _bound(self._windows)
        provider = self._providers.get(model.vendor)
        if provider is not None and provider.vendor.local and window.limit is None:
            self._begin(model.vendor)  # it is loaded now, so that its server may tell the size

    # -- fetching ----------------------------------------------------------------------------

    def refresh(self) -> "asyncio.Task[None] | None":
        """Fetches what is not fresh in the background, and what did not come. The task, while it goes on."""
        now = asyncio.get_running_loop().time()
        if self._fetching is None and now - self._fetched >= FRESH:
            self._fetched = self._tried = now
            self._begin(*self._providers)
        elif self._fetching is None and self._faults and now - self._tried >= RETRY:
            self._tried = now
            self._begin(*self._faults)
        return self._fetching

    def look(self, *, now: bool = False) -> "asyncio.Task[None] | None":
        """Looks in the background which servers on this machine are there, unless that was done a moment ago.
        `now`: somebody is about to choose. The task, while it goes on."""
        names = [name for name, each in self._listed.items() if each.vendor.local]
        since = asyncio.get_running_loop().time() - self._looked
        found = any(name in self._lists for name in names)
        wait = LOOK_AT_ONCE_S if now else LOOK_AGAIN_FOUND_S if found else LOOK_AGAIN_S
        if names and self._looking is None and self._fetching is None and since >= wait:
            self._begin_looking(names)
        return self._looking or self._fetching

    async def aclose(self) -> None:
        going = [task for task in (self._fetching, self._looking, *self._loading) if task is not None]
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)

    @property
    def _listed(self) -> dict[str, Provider]:
        return {name: each for name, each in self._providers.items() if name not in self._hidden}

    def _begin(self, *names: str) -> None:
        if self._fetching is None:
            if any(name in self._listed and self._listed[name].vendor.local for name in names):
                self._looked = asyncio.get_running_loop().time()
            self._fetching = asyncio.create_task(self._fetch_all(names), name="model lists")
            self._fetching.add_done_callback(self._fetched_all)

    def _begin_looking(self, names: Sequence[str]) -> None:
        self._looked = asyncio.get_running_loop().time()
        self._looking = asyncio.create_task(self._fetch_all(names), name="servers on this machine")
        self._looking.add_done_callback(self._fetched_all)

    def _fetched_all(self, task: "asyncio.Task[None]") -> None:
        if task is self._looking:
            self._looking = None
        else:
            self._fetching = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fetching the model lists: a bug", exc_info=error)

    async def _fetch_all(self, names: Sequence[str]) -> None:
        listed = self._listed
        # The place in the menu is the place in the table, whoever answers first.
        await asyncio.gather(
            *(self._fetch(name, listed[name], list(listed)) for name in names if name in listed)
        )

    async def _fetch(self, name: str, provider: Provider, order: list[str]) -> None:
        nearby = provider.vendor.local
        try:
            if not nearby and isinstance(provider, Loading):
                await provider.ready()
            async with asyncio.timeout(PATIENCE):
                models = {model.id: model for model in await provider.models()}
        except (Fault, TimeoutError) as error:
            if nearby:
                changed = self._missed(name, late=isinstance(error, Stalled | TimeoutError))
            else:
                changed = False
                why = error.whole if isinstance(error, Fault) else "no answer in time"
                if self._faults.get(name) != why:  # said once, not at each try
                    log.warning("no list of models from %s: %s", name, why)
                self._faults[name] = why
        except Exception:  # one list that cannot be read is not to cost the others
            changed = False
            log.exception("no list of models from %s: a bug", name)
            self._faults[name] = "its list cannot be read"
        else:
            self._faults.pop(name, None)
            self._silent.discard(name)
            self.gone -= {name}
            changed = self._lists.get(name) != models
            new = name not in self._lists
            self._lists[name] = models
            self._lists = {key: self._lists[key] for key in order if key in self._lists}
            if nearby and new and models:
                self._load(provider)
        self.version += changed

    def _missed(self, name: str, *, late: bool) -> bool:
        """Whether the menu is another one: a server that does not answer is gone, one that is `late` may be
        busy and has another chance."""
        if name not in self._lists:
            return False
        if late and name not in self._silent:
            self._silent.add(name)
            return False
        self._silent.discard(name)
        del self._lists[name]
        self.gone |= {name}
        return True

    def _load(self, provider: Provider) -> None:
        """Loads what the first question would have to wait for."""

        async def load() -> None:
            if isinstance(provider, Loading):
                await provider.ready()

        task = asyncio.create_task(load(), name="loading an SDK")
        self._loading.add(task)
        task.add_done_callback(self._loaded)

    def _loaded(self, task: "asyncio.Task[None]") -> None:
        self._loading.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("loading an SDK: a bug", exc_info=error)

    def _where(self, model: Model) -> tuple[str, str]:
        found = self._providers.get(model.vendor)
        return (found.vendor.url if found else model.vendor, model.id)


def _bound(learned: dict[Any, Any]) -> None:
    if len(learned) > MAX_LEARNED_MODELS:
        del learned[next(iter(learned))]
