"""Composition: one place that knows how the parts make an app. Used by app.py, `chat.cli.host`, the
doctor and tests.

    async with open_app(settings) as app: ...

opens clients, wallet, catalogue, tools, engine, store and runs, and closes them again in the other order.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chat.catalogue import Catalogue
from chat.engine import Engine
from chat.errors import Config
from chat.limits import Limits
from chat.owners import Owners
from chat.pacing import Budget
from chat.providers import Provider, Vendor
from chat.providers.anthropic_messages import AnthropicMessages
from chat.providers.clients import Clients
from chat.providers.demo import Demo
from chat.providers.openai_chat import OpenAIChat
from chat.providers.openai_responses import OpenAIResponses
from chat.providers.vendors import VENDORS, Speaks
from chat.quotas import Quotas
from chat.runs import Runs
from chat.settings import Settings
from chat.sign_outs import SignOuts
from chat.slots import SHARE, UNLIMITED, Slots
from chat.store import Store, open_store
from chat.tools import Tools, load
from chat.wallet import Wallet

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True)
class App:
    """What the faces read."""

    settings: Settings
    catalogue: Catalogue
    tools: Tools
    runs: Runs
    store: Store
    owners: Owners
    budget: Budget
    wallet: Wallet


@asynccontextmanager
async def open_app(
    settings: Settings, *, transport: "httpx2.AsyncBaseTransport | None" = None
) -> AsyncGenerator[App, None]:
    """The app made from `settings`. `transport` stands in for the network in tests. Raises `Config`."""
    clients = Clients(settings.deadlines.connect, transport, network=settings.network)
    vendors = _vendors(settings)

    def brought(vendor: Vendor, key: str) -> dict[str, Provider]:
        # Clients of their own: what is forgotten with these providers is not known anywhere else.
        return _spoken(replace(vendor, brought=True), key, clients.apart(), settings)

    wallet = Wallet(settings, vendors, brought)
    providers, missing, hidden, private = _providers(settings, vendors, clients)
    catalogue = Catalogue(settings, providers, missing, hidden, private, wallet)
    tools = load(settings)
    engine = Engine(settings, catalogue, tools)
    try:
        async with open_store(
            settings.database, expire_s=settings.expire_s, journal=settings.journal
        ) as store:
            sign_outs = SignOuts(await store.sign_outs(), store.save_sign_out)
            secret = settings.secret.value.encode() if settings.secret else store.secret
            owners = Owners(secret, sign_outs)
            runs = runs_of(engine, store, settings)
            try:
                catalogue.refresh()
                yield App(settings, catalogue, tools, runs, store, owners, Budget(), wallet)
            finally:
                await runs.aclose()
    finally:
        wallet.close()
        await catalogue.aclose()
        await clients.aclose()


def runs_of(engine: Engine, store: Store, settings: Settings) -> Runs:
    """The runs of `engine`, as many as `settings` allow."""
    network = UNLIMITED if settings.alone else max(settings.runs_each, settings.runs // SHARE)
    slots, limits = Slots(settings.runs_each, settings.runs, network), Limits(settings)
    return Runs(
        engine.answer,
        store,
        slots,
        limits,
        Quotas(settings, store),
        own_key=engine.own_key,
        leaving=settings.leaving,
        log_text=settings.log_text,
    )


def whose_keys(settings: Settings) -> str:
    """What is to be said at the start of keys that visitors may not spend; "" when there is nothing."""
    variables = sorted({vendor.key for vendor in _vendors(settings) if vendor.key in settings.keys})
    if settings.shares_keys or not variables:
        return ""
    wanted = {"CHAT_MESSAGES_EACH": settings.messages_each, "CHAT_MESSAGES": settings.messages}
    wanted |= {"CHAT_PUBLIC=1": settings.public, "CHAT_MAX_TOKENS": settings.max_tokens}
    names = ", ".join(variables)
    unset = ", ".join(name for name, value in wanted.items() if not value)
    return (
        f"{names}: for you alone, in the terminal and in the browser that opened the address with its key. "
        f"Visitors bring keys of their own. To let them spend yours, set {unset}, or CHAT_USERS."
    )


def who_is_believed(settings: Settings) -> str:
    """A warning for the start: any program on this machine can say who has logged in. "" when none can."""
    if not (settings.login_header and settings.believes_neighbours):
        return ""
    return (
        f"{settings.login_header} is believed from every program on this machine, not from your proxy alone. "
        "Set CHAT_PROXY_SECRET, and let the proxy send it in X-Runnel-Proxy-Secret."
    )


def who_can_connect(settings: Settings) -> str:
    """A notice for the start: visitors are allowed, and no other machine can connect. "" otherwise."""
    if not (settings.public or settings.login) or not settings.loopback or settings.proxies:
        return ""
    return (
        "Only this machine can connect now. On a network that you trust set GRADIO_SERVER_NAME=0.0.0.0; "
        "anywhere else put a proxy in front (docs/hosting.md)."
    )


def _vendors(settings: Settings) -> tuple[Vendor, ...]:
    if taken := {each.name for each in settings.endpoints} & {vendor.name for vendor in VENDORS}:
        # It would get that vendor's key, which goes to that vendor's host and nowhere else.
        raise Config(f"CHAT_ENDPOINTS: {taken.pop()} is the name of a vendor. Give your server another one.")
    own = (
        Vendor(each.name, each.name, ("openai_chat", "openai_responses"), each.url, each.key)
        for each in settings.endpoints
    )
    table = (replace(vendor, url=settings.urls.get(vendor.url_variable, vendor.url)) for vendor in VENDORS)
    return (*table, *own)


def _providers(
    settings: Settings, vendors: tuple[Vendor, ...], clients: Clients
) -> tuple[dict[str, Provider], dict[str, Config], frozenset[str], frozenset[str]]:
    """Who can be asked with the settings' keys; a sentence for who cannot; which names are second ones; and
    which spend a key that is not for visitors."""
    usable: dict[str, Provider] = {}
    missing: dict[str, Config] = {}
    second: dict[str, Provider] = {}
    private: set[str] = set()
    own = {each.name for each in settings.endpoints}
    for vendor in vendors:
        key = settings.key(vendor.key) if vendor.key else ""
        free = not vendor.key or vendor.name in own or vendor.url_variable in settings.urls
        if vendor.local and not settings.local:
            missing[vendor.name] = Config(
                f"{vendor.title} is not looked for here. Choose another model.",
                hint="With CHAT_LOCAL=1 it is looked for on this machine.",
            )
        elif not key and not free:
            missing[vendor.name] = Config(
                f"{vendor.title} needs a key, and none is set here. Choose a demo model.",
                hint=f"Put {vendor.key}=… into the file .env and start again.",
            )
        else:
            spoken = _spoken(vendor, key, clients, settings)
            usable[vendor.name] = spoken.pop(vendor.name)
            second |= spoken
            if key and not settings.shares_keys:
                private |= {vendor.name, *spoken}
    return second | usable, missing, frozenset(second) - frozenset(usable), frozenset(private)


def _spoken(vendor: Vendor, key: str, clients: Clients, settings: Settings) -> dict[str, Provider]:
    """`vendor` by its name. With two protocols it has a second name for the other: `openai-chat`,
    `xai-responses`."""
    first, *others = vendor.protocols
    found = {vendor.name: _provider(first, replace(vendor, speaks=first), key, clients, settings)}
    for protocol in others:
        name = f"{vendor.name}-{protocol.partition('_')[2]}"
        found[name] = _provider(protocol, replace(vendor, speaks=protocol), key, clients, settings)
    return found


def _provider(protocol: Speaks, vendor: Vendor, key: str, clients: Clients, settings: Settings) -> Provider:
    match protocol:
        case "openai_responses":
            return OpenAIResponses(vendor, key, clients)
        case "openai_chat":
            return OpenAIChat(vendor, key, clients)
        case "anthropic_messages":
            return AnthropicMessages(vendor, key, clients)
        case "demo":
            return Demo(vendor, settings.demo_pace)


__all__ = ["App", "open_app", "runs_of", "who_can_connect", "who_is_believed", "whose_keys"]
