"""Whose keys are held, for how long, and what may be asked with them."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import pytest

from chat import wallet as module
from chat.build import App, open_app
from chat.catalogue import Catalogue
from chat.context import Window
from chat.engine import Engine
from chat.errors import Auth, BadRequest, Config, Fault, NotFound, RateLimited, Refused
from chat.events import ReplyFinished, TextDelta, TurnFailed, TurnFinished, TurnStarted, Usage
from chat.messages import Options, Turn
from chat.models import Model
from chat.owners import LOCAL
from chat.providers import Provider, Vendor
from chat.settings import Settings
from chat.tools import Tools
from chat.wallet import Wallet
from tests.scripted import Scripted

KEY = "sk-visitor-0123456789abcdef"
OWNERS = "sk-owner-0123456789abcdef"
ACME = Vendor("acme", "Acme", ("openai_chat",), "http://acme/v1", "ACME_API_KEY")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Maker:
    """Makes providers that list two models, or fail with `fault`."""

    fault: Fault | None = None
    made: list[str] = field(default_factory=list, repr=False)

    def __call__(self, vendor: Vendor, key: str) -> dict[str, Provider]:
        self.made.append(key)
        listed = self.fault or [Model(vendor.name, "one"), Model(vendor.name, "two")]
        return {vendor.name: Scripted([], vendor, listed)}


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def wallet(maker: Maker, clock: Clock) -> AsyncIterator[Wallet]:
    wallet = Wallet(Settings(), (ACME,), maker, clock)
    yield wallet
    wallet.close()


# -- bringing ----------------------------------------------------------------------------------


async def test_a_key_is_its_owner_s_alone(wallet: Wallet) -> None:
    own = await wallet.bring("ann", "acme", KEY)
    assert (own.works, own.sentence) == (True, "Acme took the key: 2 models.")
    assert list(wallet.of("ann")) == ["acme"]
    assert not wallet.of("bob")
    assert not wallet.of("")


async def test_a_key_shows_itself_nowhere(wallet: Wallet) -> None:
    own = await wallet.bring("ann", "acme", KEY)
    assert KEY not in f"{own!r}{own}{wallet!r}{vars(wallet)!r}{own.providers!r}"


async def test_a_refused_key_is_not_kept_and_leaves_the_one_before(wallet: Wallet, maker: Maker) -> None:
    before = await wallet.bring("ann", "acme", KEY)
    maker.fault = Auth("Acme does not accept your key.", status=401)
    with pytest.raises(Auth):
        await wallet.bring("ann", "acme", "another-key")
    assert wallet.of("ann")["acme"] is before


@pytest.mark.parametrize(
    "fault", [Fault("There is no network."), Auth("Acme does not allow this.", status=403)]
)
async def test_a_key_that_cannot_be_tried_is_kept(wallet: Wallet, maker: Maker, fault: Fault) -> None:
    maker.fault = fault
    own = await wallet.bring("ann", "acme", KEY)
    assert own.works is None
    assert own.sentence == f"{fault.message} The key is kept, and will be tried with your first question."
    assert "acme" in wallet.of("ann")


@pytest.mark.parametrize("key", ["", "two words", "späti", "line\nbreak", "k" * (module.LONGEST + 1), "​key"])
async def test_what_can_be_no_key_is_not_tried(wallet: Wallet, maker: Maker, key: str) -> None:
    with pytest.raises((BadRequest, Config)) as caught:
        await wallet.bring("ann", "acme", key)
    assert maker.made == []
    assert not key or key not in caught.value.message


@pytest.mark.parametrize(
    ("owner", "vendor"), [("", "acme"), ("ann", "nobody"), ("ann", "demo"), ("ann", "ollama")]
)
async def test_who_and_what_takes_no_key(wallet: Wallet, owner: str, vendor: str) -> None:
    with pytest.raises(NotFound):
        await wallet.bring(owner, vendor, KEY)


async def test_keys_are_bounded(wallet: Wallet, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYS", 2)
    for owner in ("ann", "bob", "ann"):
        await wallet.bring(owner, "acme", KEY)
    with pytest.raises(RateLimited, match="kept"):
        await wallet.bring("eve", "acme", KEY)
    clock.now += module.SILENCE
    await wallet.bring("eve", "acme", KEY)


@pytest.mark.parametrize(
    ("limit", "owners"), [("TRIES_EACH", ("ann", "ann")), ("TRIES_NETWORK", ("ann", "bob"))]
)
async def test_tries_are_bounded_good_or_bad(
    wallet: Wallet,
    maker: Maker,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    owners: tuple[str, ...],
) -> None:
    monkeypatch.setattr(module, limit, 2)
    maker.fault = Auth("No.", status=401)
    for owner in owners:
        with pytest.raises(Auth):
            await wallet.bring(owner, "acme", KEY, "1.2.3.4")
    clock.now += 600
    with pytest.raises(RateLimited) as caught:
        await wallet.bring("ann", "acme", KEY, "1.2.3.4")
    assert caught.value.retry_after == module.HOUR - 600
    assert len(maker.made) == 2
    clock.now += module.HOUR
    with pytest.raises(Auth):
        await wallet.bring("ann", "acme", KEY, "1.2.3.4")


async def test_few_keys_are_tried_at_once(wallet: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIES", 0)
    with pytest.raises(RateLimited, match="at this moment"):
        await wallet.bring("ann", "acme", KEY)


@dataclass
class Lister:
    """Makes providers of a vendor that shows its list to everybody, whatever the key."""

    def __call__(self, vendor: Vendor, key: str) -> dict[str, Provider]:
        return {vendor.name: Scripted([], vendor, [Model(vendor.name, "one")])}


OPEN = replace(ACME, open_list=True)


@pytest.fixture
async def crowded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wallet]:
    """With room for 12 keys, 4 of each network; their vendor's list proves none of them."""
    monkeypatch.setattr(module, "KEYS", 12)
    monkeypatch.setattr(module, "MAX_KEYS_PER_NETWORK", 4)
    wallet = Wallet(Settings(), (OPEN, replace(OPEN, name="other")), Lister(), clock)
    yield wallet
    wallet.close()


async def test_one_network_cannot_take_the_place_of_all(crowded: Wallet, clock: Clock) -> None:
    held = 0
    for _ in range(3):
        while held < 4:
            await crowded.bring(f"s{held}", "acme", KEY, "192.0.2.1")
            held += 1
        with pytest.raises(RateLimited, match="your network"):
            await crowded.bring("s4", "acme", KEY, "192.0.2.1")
        for _ in range(3):
            clock.now += 1201
            for number in range(held):
                crowded.heard(f"s{number}")
    assert all(crowded.of(f"s{number}") for number in range(held))
    await crowded.bring("honest", "acme", KEY, "198.51.100.7")
    # In the place of one's own there is always room, and not in the place of another network's.
    await crowded.bring("s0", "acme", KEY, "192.0.2.1")
    with pytest.raises(RateLimited, match="your network"):
        await crowded.bring("honest", "acme", KEY, "192.0.2.1")
    # Who is known is not counted by network.
    for number in range(6):
        await crowded.bring(f"person{number}", "acme", KEY)


async def filled(wallet: Wallet) -> None:
    for number in range(4):
        await wallet.bring(f"a{number}", "acme", KEY, "192.0.2.1")
        await wallet.bring(f"person{number}", "acme", KEY)
    for number in range(3):
        await wallet.bring(f"b{number}", "acme", KEY, "192.0.2.2")
    await wallet.bring("c0", "acme", KEY, "192.0.2.3")


async def test_full_the_oldest_key_that_never_worked_gives_way(crowded: Wallet) -> None:
    await filled(crowded)
    crowded.worked("a0", crowded.of("a0")["acme"])
    version = crowded.version("a1")
    await crowded.bring("honest", "acme", KEY, "198.51.100.7")
    assert list(crowded.of("honest")) == ["acme"]
    assert not crowded.of("a1")
    assert crowded.version("a1") != version
    kept = ["a0", "a2", "a3", "b0", "b1", "b2", "c0", *(f"person{number}" for number in range(4))]
    assert all(crowded.of(owner) for owner in kept)
    await crowded.bring("honest", "other", KEY, "198.51.100.7")
    assert not crowded.of("a2")  # of two networks with as many keys, the oldest
    await crowded.bring("another", "acme", KEY, "198.51.100.7")
    assert not crowded.of("b0")


async def test_full_of_keys_that_work_one_more_is_turned_away(crowded: Wallet) -> None:
    await filled(crowded)
    for owner in (*(f"a{n}" for n in range(4)), "b0", "b1", "b2", "c0"):
        crowded.worked(owner, crowded.of(owner)["acme"])
        assert crowded.of(owner)["acme"].works
    with pytest.raises(RateLimited, match="No more keys"):
        await crowded.bring("honest", "acme", KEY, "198.51.100.7")
    await crowded.bring("a0", "acme", KEY, "192.0.2.1")


async def test_a_key_that_is_refused_takes_nobody_s_place(crowded: Wallet, maker: Maker) -> None:
    await filled(crowded)
    maker.fault = Auth("No.", status=401)
    crowded._make = maker
    with pytest.raises(Auth):
        await crowded.bring("eve", "acme", KEY, "198.51.100.7")
    assert all(crowded.of(f"a{number}") for number in range(4))


async def test_who_brings_and_forgets_leaves_nothing(wallet: Wallet, clock: Clock) -> None:
    await wallet.bring("ann", "acme", KEY)
    wallet.forget("ann")
    clock.now += module.SILENCE - 1
    wallet.heard("ann")
    await wallet.bring("bob", "acme", KEY)
    assert list(wallet._purses) == ["bob"]


async def test_one_network_cannot_try_all_the_keys_at_once(crowded: Wallet) -> None:
    going = asyncio.Event()

    class Slow(Scripted):
        async def models(self) -> list[Model]:
            await going.wait()
            return []

    crowded._make = lambda vendor, key: {vendor.name: Slow([], vendor)}
    tries = [
        asyncio.create_task(crowded.bring(f"a{number}", "acme", KEY, "192.0.2.1"))
        for number in range(module.MAX_TRIES_PER_NETWORK)
    ]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited, match="at this moment"):
        await crowded.bring("eve", "acme", KEY, "192.0.2.1")
    honest = asyncio.create_task(crowded.bring("honest", "acme", KEY, "198.51.100.7"))
    await asyncio.sleep(0)
    going.set()
    await asyncio.gather(honest, *tries)
    assert crowded.of("honest")
    await crowded.bring("bob", "acme", KEY, "198.51.100.7")


# -- forgetting --------------------------------------------------------------------------------


async def test_a_key_is_forgotten_an_hour_after_the_last_word(wallet: Wallet, clock: Clock) -> None:
    await wallet.bring("ann", "acme", KEY)
    clock.now += module.SILENCE - 1
    wallet.heard("ann")
    clock.now += module.SILENCE - 1
    assert wallet.of("ann")
    clock.now += 1
    assert not wallet.of("ann")


async def test_it_is_forgotten_without_anybody_asking(
    wallet: Wallet, maker: Maker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP", 0.001)
    gone = asyncio.Event()
    weakref.finalize((await wallet.bring("ann", "acme", KEY)).providers["acme"], gone.set)
    clock.now += module.SILENCE
    while not gone.is_set():
        await asyncio.sleep(0.001)  # until the wallet's own timer has looked
        gc.collect()
    assert wallet._sweeping is None


async def test_forgetting_is_of_one_key_and_of_one_owner(wallet: Wallet) -> None:
    for owner in ("ann", "bob"):
        await wallet.bring(owner, "acme", KEY)
    version = wallet.version("ann")
    wallet.forget("ann", "acme")
    assert not wallet.of("ann")
    assert wallet.of("bob")
    assert wallet.version("ann") != version
    wallet.forget("nobody")


# -- what may be asked: the whole app, before a vendor that tells keys apart -----------------------


@dataclass
class Net:
    """Answers with a list to keys that begin with `sk-`, and notes them."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append((request.url.host, key))
        if not key.startswith("sk-"):
            return httpx2.Response(401, json={"error": {"message": f"Incorrect API key provided: {key}"}})
        if request.url.path.endswith("/models"):
            return httpx2.Response(200, json={"data": [{"id": "gpt-4o-mini"}, {"id": "gpt-9"}]})
        events = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=events)


async def opened(net: Net, **environ: str) -> AsyncIterator[App]:
    settings = Settings.read({"CHAT_LOCAL": "0", "CHAT_DATABASE": ":memory:", **environ})
    async with open_app(settings, transport=httpx2.MockTransport(net)) as app:
        if (fetching := app.catalogue.refresh()) is not None:
            await fetching
        yield app


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
async def public(net: Net) -> AsyncIterator[App]:
    """Beyond this machine, with a key that is not shared."""
    async for app in opened(net, OPENAI_API_KEY=OWNERS, GRADIO_SERVER_NAME="0.0.0.0"):
        yield app


async def ended(app: App, owner: str, model: str) -> Any:
    run = app.runs.start(Turn("Hello", Options(model=model), owner=owner), owner)
    await run.finished()
    return run.entries[-1].event


async def test_the_settings_key_is_spent_for_the_owner_at_this_machine_alone(public: App, net: Net) -> None:
    assert public.catalogue.of(LOCAL).default == "openai:gpt-4o-mini"
    assert public.catalogue.of("ann").default == "demo:tour"
    assert not any(name.startswith("openai") for name in public.catalogue.of("ann").names())
    net.asked.clear()
    for owner in ("ann", ""):
        for model in ("openai:gpt-9", "openai-chat:gpt-9", "gpt-9", "xai:grok"):
            failed = await ended(public, owner, model)
            assert isinstance(failed, TurnFailed)
            assert "put your own into “Your keys” in the sidebar" in failed.failure.message
    assert net.asked == []
    assert isinstance(await ended(public, LOCAL, "openai-chat:gpt-9"), TurnFinished)
    assert net.asked == [("api.openai.com", OWNERS)]


async def test_a_visitor_s_key_brings_that_vendor_s_models_to_that_visitor(public: App, net: Net) -> None:
    version = public.catalogue.version_of("ann")
    await public.wallet.bring("ann", "openai", KEY)
    assert public.catalogue.version_of("ann") != version
    assert public.catalogue.of("ann").names()[-2:] == ["openai:gpt-4o-mini", "openai:gpt-9"]
    assert public.catalogue.of("ann").default == "openai:gpt-4o-mini"
    assert public.catalogue.of("bob").default == "demo:tour"
    net.asked.clear()
    assert isinstance(await ended(public, "ann", "openai-chat:gpt-9"), TurnFinished)
    assert net.asked == [("api.openai.com", KEY)]
    public.wallet.forget("ann", "openai")
    assert isinstance(await ended(public, "ann", "openai-chat:gpt-9"), TurnFailed)
    assert len(net.asked) == 1


async def test_ones_own_key_goes_before_a_shared_one(net: Net) -> None:
    async for app in opened(net, OPENAI_API_KEY=OWNERS):
        await app.wallet.bring("ann", "openai", KEY)
        net.asked.clear()
        for owner in ("ann", "bob", LOCAL):
            assert isinstance(await ended(app, owner, "openai-chat:gpt-9"), TurnFinished)
        assert [key for _, key in net.asked] == [KEY, OWNERS, OWNERS]


async def test_a_vendor_that_does_not_take_the_key_is_quoted_without_it(public: App) -> None:
    with pytest.raises(Auth, match="does not accept your key") as caught:
        await public.wallet.bring("ann", "openai", "wrong-0123456789abcdef")
    assert "wrong-" not in caught.value.message
    assert "OPENAI_API_KEY" not in caught.value.message


async def test_a_list_that_everybody_may_read_proves_no_key(public: App) -> None:
    own = await public.wallet.bring("ann", "openrouter", KEY)
    assert own.works is None
    assert "your first question will tell" in own.sentence


async def test_an_answer_shows_that_a_key_works(public: App, net: Net) -> None:
    assert (await public.wallet.bring("ann", "openrouter", KEY)).works is None
    await public.wallet.bring("bob", "openrouter", KEY)
    assert isinstance(await ended(public, "ann", "openrouter:gpt-9"), TurnFinished)
    assert public.wallet.of("ann")["openrouter"].works
    assert public.wallet.of("bob")["openrouter"].works is None


async def test_what_a_brought_key_is_refused_is_no_word_on_other_keys(public: App) -> None:
    await public.wallet.bring("ann", "openai", KEY)
    model = public.catalogue.of("ann").find("openai:gpt-9")[1]
    public.catalogue.known("ann").refuse(model, "stream")
    assert public.catalogue.known("ann").refused(model) == {"stream"}
    assert public.catalogue.known(LOCAL).refused(model) == frozenset()
    public.catalogue.known(LOCAL).refuse(model, "temperature")
    assert public.catalogue.known("ann").refused(model) == {"stream", "temperature"}
    assert public.catalogue.of("ann").temperature("openai:gpt-9").reason
    public.catalogue.known("ann").learn(model, Window(6000))  # what a free key may send in a minute
    assert public.catalogue.known("ann").window(model) == Window(6000)
    assert public.catalogue.known(LOCAL).window(model) == Window(model.context)


class Waiting(Maker):
    """Each key's provider refuses a parameter, and answers when it is let."""

    def __init__(self) -> None:
        super().__init__(Fault("No list now."))
        self.held: list[tuple[Scripted, asyncio.Event]] = []

    def __call__(self, vendor: Vendor, key: str) -> dict[str, Provider]:
        go = asyncio.Event()
        refused = [Refused("No.", parameter="stream")]
        answer = [go, TextDelta("Hi."), ReplyFinished("end", Usage(1500))]
        provider = Scripted([refused, answer], vendor, Fault("No list now."))
        self.held.append((provider, go))
        return {vendor.name: provider}


@pytest.mark.parametrize("then", ["replaced", "forgotten", "kept"])
async def test_an_answer_is_word_of_the_key_that_it_was_asked_with(then: str, clock: Clock) -> None:
    """So is what the vendor refuses, and how much it counts."""
    maker, settings = Waiting(), Settings(local=False)
    wallet = Wallet(settings, (ACME,), maker, clock)
    catalogue = Catalogue(settings, {}, wallet=wallet)
    model = Model("acme", "one")
    own = await wallet.bring("ann", "acme", KEY)
    asking = Engine(settings, catalogue, Tools(settings, ())).answer(
        Turn("Hello. " * 500, Options(model=model.name), owner="ann")
    )
    assert isinstance(await anext(asking), TurnStarted)
    if then == "replaced":
        await wallet.bring("ann", "acme", f"{KEY}-of-another")
    if then == "forgotten":
        wallet.forget("ann", "acme")
    ((_, go), *_) = maker.held
    go.set()
    assert isinstance([event async for event in asking][-1], TurnFinished)
    assert own.refused == {"one": {"stream"}}
    assert own.windows.keys() == {"one"}
    works = [each.works for each in wallet.of("ann").values()]
    assert works == {"replaced": [None], "forgotten": [], "kept": [True]}[then]
    # Neither the key that came in its place nor anybody else's is told what this one was refused.
    assert (catalogue.known("ann").refused(model) == {"stream"}) is (then == "kept")
    assert (catalogue.known("ann").window(model) == Window()) is (then != "kept")
    assert not catalogue.refused(model)
    assert catalogue.window(model) == Window()
    wallet.close()


async def test_a_replaced_key_that_answers_late_does_not_keep_the_new_one_its_place(
    crowded: Wallet,
) -> None:
    await filled(crowded)
    used = crowded.of("a0")["acme"]
    for number in range(4):
        await crowded.bring(f"a{number}", "acme", f"{KEY}-of-another", "192.0.2.1")
    crowded.worked("a0", used)
    await crowded.bring("honest", "acme", KEY, "198.51.100.7")
    assert not crowded.of("a0")


async def test_only_offered_models_can_be_asked_with_ones_own_key_too(net: Net) -> None:
    environ = {"CHAT_MODELS": "openai:gpt-9, demo:tour", "OPENAI_API_KEY": OWNERS, "SPACE_ID": "me/chat"}
    async for app in opened(net, **environ):
        assert app.catalogue.of("ann").names() == ["demo:tour"]
        assert app.catalogue.of("ann").default == "demo:tour"
        await app.wallet.bring("ann", "openai", KEY)
        assert app.catalogue.of("ann").names() == ["openai:gpt-9", "demo:tour"]
        with pytest.raises(NotFound):
            app.catalogue.of("ann").find("openai:gpt-4o-mini")


async def test_with_a_forgotten_key_all_that_was_made_of_it_goes(public: App) -> None:
    own = await public.wallet.bring("ann", "openai", KEY)
    await ended(public, "ann", "openai-chat:gpt-9")
    held: Any = own.providers["openai"]
    client = weakref.ref(await held._clients.openai(held.vendor, KEY))
    del own, held
    public.wallet.forget("ann", "openai")
    for _ in range(3):
        await asyncio.sleep(0)
        gc.collect()
    assert client() is None
