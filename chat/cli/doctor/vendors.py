"""The app as it opens with these settings: store, vendors' lists, the model at first, the demo's speed.

Of each vendor its list of models is fetched with the key that is set, which costs nothing. What a key may do
beyond that shows the first question.
"""

from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

from chat.build import App, open_app
from chat.cli.doctor import machine, timing
from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.errors import Config, Fault
from chat.menu import Menu
from chat.owners import LOCAL
from chat.settings import Settings

if TYPE_CHECKING:
    import httpx2

_SHOWN = 3
"""Names of models in a sentence."""


async def opened(
    settings: Settings, transport: "httpx2.AsyncBaseTransport | None" = None
) -> AsyncGenerator[Outcome, None]:
    """`transport` stands in for the network in tests."""
    try:
        async with open_app(settings, transport=transport) as app:
            yield await machine.store(settings, app.store)
            yield await machine.room(settings, app.store)
            yield machine.disk(settings)
            yield machine.secret(settings)
            if (lists := app.catalogue.refresh()) is not None:
                await lists
            for outcome in listed(app, app.catalogue.of(LOCAL)):
                yield outcome
            yield await timing.here(app)
    except Config as fault:
        yield failed("start", fault.whole, "Runnel does not start like this.")


def listed(app: App, menu: Menu) -> Iterator[Outcome]:
    asked = {
        name: p.vendor for name, p in menu.providers.items() if name not in menu.hidden and name != "demo"
    }
    remote = {name: vendor for name, vendor in asked.items() if not vendor.local}
    for name, vendor in remote.items():
        models = menu.lists.get(name)
        if models is None:
            yield failed(name, app.catalogue.faults.get(name, f"{vendor.title} sent no list of models."))
        elif vendor.open_list:
            said = f"{len(models)} models, a list that needs no key: a question shows whether it is accepted"
            yield ok(name, said, models=len(models))
        else:
            yield ok(name, f"{len(models)} models, and the key is accepted", models=len(models))
    if not remote:
        yield ok("vendors", "No key is set: the demo answers, and servers on this machine")
    yield nearby(menu, app.settings)
    yield first_model(menu, app)


def nearby(menu: Menu, settings: Settings) -> Outcome:
    if not settings.local:
        return ok("local", "Servers on this machine are not looked for (CHAT_LOCAL=0)")
    local = {name: p.vendor.title for name, p in menu.providers.items() if p.vendor.local}
    found = [f"{title} ({len(menu.lists[name])})" for name, title in local.items() if name in menu.lists]
    if not found:
        return ok(
            "local", f"No {', '.join(list(local.values())[:-1])} or {list(local.values())[-1]} answers here"
        )
    return ok("local", f"Models on this machine: {', '.join(found)}")


def first_model(menu: Menu, app: App) -> Outcome:
    """The model that is chosen at first, and those that are offered: does somebody serve them?"""
    try:
        found = [menu.find(name)[1] for name in dict.fromkeys((menu.default, *app.settings.models))]
    except Fault as fault:
        return failed("model", fault.whole, "Look at CHAT_MODEL and CHAT_MODELS.")
    unlisted = [
        model.name
        for model in found
        if model.vendor not in app.catalogue.faults and model.id not in menu.lists.get(model.vendor, {})
    ]
    if unlisted:
        shown = ", ".join(unlisted[:_SHOWN]) + (" …" if len(unlisted) > _SHOWN else "")
        return warning(
            "model",
            f"Not in its vendor's list: {shown}.",
            "It may still be served. Compare CHAT_MODEL and CHAT_MODELS with the page's menu.",
        )
    return ok("model", f"{found[0].name} is chosen at first")
