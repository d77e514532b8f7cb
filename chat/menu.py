"""What one owner may ask: the models of the menu, which is the default, who serves a name.

A view of the moment, made by `Catalogue.of`, which holds the lists and fetches them. The engine asks it for
the provider of a turn, the faces for what they show.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chat.errors import Config, Fault, NotFound
from chat.models import Model, shown
from chat.providers import Provider
from chat.settings import Settings

CUSTOMARY = "openai:gpt-4o-mini"
"""The default where OpenAI can be asked and nothing else was chosen."""


@dataclass(frozen=True, slots=True)
class Range:
    """Temperatures that may be sent; with a `reason`, none may."""

    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """`providers` by the names that may stand before a model's, `lists` by the vendor's, in the menu's order.

    `missing` says of each vendor that cannot be asked why. `hidden` names can be asked for but are not
    listed. `others` can be asked by somebody else, with a key that is not this owner's. `refused`: the names
    of parameters that a model was seen to refuse.
    """

    settings: Settings
    providers: Mapping[str, Provider]
    lists: Mapping[str, Mapping[str, Model]]
    missing: Mapping[str, Config]
    hidden: frozenset[str]
    others: frozenset[str]
    refused: Callable[[Model], frozenset[str]]

    # -- for the menu ------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The models of the menu, as `vendor:id`."""
        if not self.settings.models:
            return [model.name for models in self.lists.values() for model in models.values()]
        offered = [self._full(name) for name in self.settings.models]
        # Rather all than none: asked for one, somebody learns what is missing.
        return [name for name in offered if not self._elses(name)] or offered

    def choices(self) -> list[tuple[str, str]]:
        """The models of the menu, each as it is shown and as it is asked for."""
        names = self.names()
        count = Counter(map(shown, names))
        return [(label if count[label := shown(name)] == 1 else name, name) for name in names]

    @property
    def default(self) -> str:
        """The model for those who chose none."""
        if self.settings.model and not self._elses(chosen := self._full(self.settings.model)):
            return chosen
        if self.settings.models:
            return self.names()[0]
        listed = self.lists.get("openai")
        if "openai" in self.providers and (not listed or CUSTOMARY.partition(":")[2] in listed):
            return CUSTOMARY
        others = [name for name in self.names() if not name.startswith("demo:")]
        return next(iter(others), None) or next(iter(self.names()), "demo:tour")

    @property
    def vendors(self) -> frozenset[str]:
        """The names that may stand before a model's, whether they can be asked now or not."""
        return frozenset(self.providers) | frozenset(self.missing) | self.others

    def default_of(self, vendor: str) -> str:
        """The model for those who chose none but `vendor`. No more than `vendor:` when none is known."""
        if (chosen := self.default).startswith(f"{vendor}:"):
            return chosen
        known = [name for name in self.names() if name.startswith(f"{vendor}:")]
        if CUSTOMARY.startswith(f"{vendor}:") and (not known or CUSTOMARY in known):
            return CUSTOMARY
        return known[0] if known else f"{vendor}:"

    @property
    def keyless(self) -> bool:
        """Whether the demo is all there is."""
        listed = (name for name, models in self.lists.items() if models and name not in self.hidden)
        return not any(name != "demo" for name in listed) and not any(
            not provider.vendor.local and name != "demo" for name, provider in self.providers.items()
        )

    # -- for the engine ----------------------------------------------------------------------

    def find(self, name: str) -> tuple[Provider, Model]:
        """Who serves `name`, and what is known of it. Raises `Config` or `NotFound`."""
        full = self._full(name)
        if not self._offered(full):
            raise NotFound(f"{name} is not among the models that are offered here. Choose one of the menu.")
        vendor, _, id = full.partition(":")
        if (provider := self.providers.get(vendor)) is None:
            why = self.missing.get(vendor) or Config(f"No vendor is called {vendor}.")
            said = why.message
            if unknown := self.unknown_vendor(name):
                raise Config(f"There is no vendor {unknown}; there are {', '.join(sorted(self.vendors))}.")
            if full != name.strip():
                no = f"{name} is no model of the menu; without a vendor before it, it would be OpenAI's."
                said = f"{no} {said}"
            raise Config(said, hint=why.hint)
        if not id.strip():
            raise NotFound("No model is named. Choose one of the menu, or write vendor:model.")
        listed = self.lists.get(provider.vendor.name, {})
        if (model := listed.get(id)) is None:  # a file by its own name, as the menu shows it
            model = next(
                (each for each in listed.values() if shown(each.id) == id.strip()), Model(vendor, id)
            )
        return provider, model

    def other(self, provider: Provider) -> Provider | None:
        """Who speaks to the vendor of `provider` in its other protocol."""
        name = provider.vendor.name
        others = (each for each in self.providers.values() if each.vendor.name == name)
        return next((each for each in others if each.vendor.speaks != provider.vendor.speaks), None)

    def unknown_vendor(self, name: str) -> str:
        """What stands where a vendor would, in a `name` that no vendor of ours lists; "" where nothing does.
        Names of others have colons too: `maker/model:free`, OpenAI's own `ft:…`."""
        name = name.strip()
        vendor, colon, _ = name.partition(":")
        known = not colon or vendor in self.vendors or any(name in models for models in self.lists.values())
        return "" if known or "/" in vendor or vendor == "ft" else vendor

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

    # -- names -------------------------------------------------------------------------------

    def _offered(self, full: str) -> bool:
        return not self.settings.models or full in map(self._full, self.settings.models)

    def _elses(self, full: str) -> bool:
        return full.partition(":")[0] in self.others

    def _full(self, name: str) -> str:
        """`vendor:id`. A name is split at its first colon only if a vendor stands before it."""
        name = name.strip()
        vendor, colon, _ = name.partition(":")
        if colon and vendor in self.vendors:
            return name
        lister = next(
            (
                vendor
                for vendor, models in self.lists.items()
                if name in models or any(shown(id) == name for id in models)
            ),
            "openai",
        )
        return f"{lister}:{name}"
