"""Which models there are, under which names, and who serves them."""

from typing import Any

import pytest

from chat.catalogue import MAX_LEARNED_MODELS, Catalogue
from chat.context import Window, size
from chat.errors import Config, NotFound, TooLong, Unreachable
from chat.menu import Range
from chat.messages import Request, User
from chat.models import Model
from chat.providers.vendors import Vendor
from chat.settings import Settings
from tests.scripted import Scripted


def serves(vendor: str, *ids: str, local: bool = False) -> Scripted:
    return Scripted(
        [],
        Vendor(vendor, vendor.title(), (), f"http://{vendor}/v1", local=local),
        [Model(vendor, id) for id in ids],
    )


async def catalogue(
    *providers: Scripted, missing: dict[str, Config] | None = None, **settings: Any
) -> Catalogue:
    found = Catalogue(
        Settings.read(settings),
        {each.vendor.name: each for each in providers},
        missing or {"groq": Config("Groq needs a key.")},
    )
    if (task := found.refresh()) is not None:
        await task
    return found


DEMO = serves("demo", "tour", "fast")


async def test_the_menu_is_what_the_vendors_list() -> None:
    found = await catalogue(DEMO, serves("openai", "gpt-9"))
    assert found.of("").names() == ["demo:tour", "demo:fast", "openai:gpt-9"]


async def test_without_a_key_the_demo_is_the_default() -> None:
    found = await catalogue(DEMO)
    assert found.of("").default == "demo:tour"
    assert found.of("").keyless


@pytest.mark.parametrize(
    ("settings", "default"),
    [
        ({}, "openai:gpt-4o-mini"),
        ({"CHAT_MODEL": "gpt-9"}, "openai:gpt-9"),
        ({"CHAT_MODEL": "demo:fast"}, "demo:fast"),
        ({"CHAT_MODELS": "demo:fast, openai:gpt-9"}, "demo:fast"),
    ],
)
async def test_the_default(settings: dict[str, str], default: str) -> None:
    found = await catalogue(DEMO, serves("openai", "gpt-4o-mini", "gpt-9"), missing=None, **settings)
    assert found.of("").default == default


async def test_the_default_is_one_that_is_there() -> None:
    assert (await catalogue(DEMO, serves("openai", "gpt-9"))).of("").default == "openai:gpt-9"
    assert (await catalogue(DEMO, serves("acme", "one"))).of("").default == "acme:one"


@pytest.mark.parametrize(
    ("name", "vendor", "id"),
    [
        ("ollama:llama3:8b", "ollama", "llama3:8b"),
        ("llama3:8b", "ollama", "llama3:8b"),
        ("unheard:8b", "openai", "unheard:8b"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("acme:not-listed", "acme", "not-listed"),
        ("openai/gpt-oss", "acme", "openai/gpt-oss"),
    ],
)
async def test_names(name: str, vendor: str, id: str) -> None:
    found = await catalogue(
        serves("ollama", "llama3:8b", local=True), serves("openai"), serves("acme", "openai/gpt-oss")
    )
    provider, model = found.of("").find(name)
    assert (provider.vendor.name, model.id) == (vendor, id)


async def test_a_vendor_without_its_key_says_so() -> None:
    with pytest.raises(Config, match="Groq needs a key"):
        (await catalogue(DEMO)).of("").find("groq:llama")


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("nope:x", "nope"),
        (" nope:x:y ", "nope"),
        ("gpt-4o", ""),
        ("llama3:8b", ""),
        ("groq:llama", ""),
        ("maker/model:free", ""),
        ("ft:gpt-4o:me::1", ""),
    ],
)
async def test_a_vendor_that_there_is_not(name: str, unknown: str) -> None:
    menu = (await catalogue(DEMO, serves("ollama", "llama3:8b", local=True))).of("")
    assert menu.unknown_vendor(name) == unknown
    if unknown:
        with pytest.raises(Config, match=r"^There is no vendor nope; there are demo, groq, ollama\.$"):
            menu.find(name)


async def test_the_allow_list_holds() -> None:
    found = await catalogue(DEMO, serves("openai", "gpt-9", "gpt-8"), CHAT_MODELS="gpt-9")
    assert found.of("").names() == ["openai:gpt-9"]
    found.of("").find("openai:gpt-9")
    with pytest.raises(NotFound):
        found.of("").find("openai:gpt-8")


async def test_a_vendor_that_does_not_answer_leaves_the_others_alone() -> None:
    silent = serves("openai")
    silent.listed = Unreachable("Nobody there.")
    found = await catalogue(DEMO, silent)
    assert found.of("").names() == ["demo:tour", "demo:fast"]
    assert found.faults == {"openai": "Nobody there."}


async def test_a_list_that_did_not_come_is_asked_for_again_soon_and_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    early, there = serves("openai", "gpt-9"), serves("acme", "one")
    early.listed = Unreachable("Nobody there.")
    found = await catalogue(DEMO, early, there)
    there.listed = []
    assert found.refresh() is None  # not at once
    monkeypatch.setattr("chat.catalogue.RETRY", 0.0)
    for listed in (early.listed, [Model("openai", "gpt-9")]):
        early.listed = listed
        task = found.refresh()
        assert task is not None
        await task
    assert found.of("").names() == ["demo:tour", "demo:fast", "openai:gpt-9", "acme:one"]
    assert found.faults == {}
    assert found.refresh() is None
    assert [each.getMessage() for each in caplog.records] == ["no list of models from openai: Nobody there."]


async def test_a_server_on_this_machine_that_is_not_there_is_no_fault() -> None:
    silent = serves("ollama", local=True)
    silent.listed = Unreachable("Nobody there.")
    found = await catalogue(DEMO, silent)
    assert found.faults == {}


async def test_lists_are_fetched_once_while_they_are_fresh() -> None:
    found = await catalogue(DEMO)
    assert found.refresh() is None


async def test_temperature_rules() -> None:
    acme = serves("acme")
    acme.listed = [Model("acme", "cold", temperature=False), Model("acme", "warm", temperature=True)]
    found = await catalogue(acme)
    assert found.of("").temperature("acme:warm") == Range(0, 2)
    assert "cold" in found.of("").temperature("acme:cold").reason
    version = found.version
    found.refuse(Model("acme", "warm"), "temperature")
    assert found.of("").temperature("acme:warm").reason
    assert found.version > version
    assert found.of("").temperature("nobody:knows") == Range(0, 2)


async def test_a_models_context_is_what_its_list_says_unless_a_refusal_said_better() -> None:
    acme = serves("acme")
    acme.listed = [Model("acme", "one", context=32_000), Model("acme", "two")]
    found = await catalogue(acme)
    one, two = (found.of("").find(f"acme:{id}")[1] for id in ("one", "two"))
    assert (found.window(one), found.window(two)) == (Window(32_000), Window())
    found.learn(one, Window(8192, 1.5))
    assert found.window(one) == Window(8192, 1.5)
    assert found.window(two) == Window()


async def test_what_one_owners_words_showed_of_a_context_is_no_word_on_those_of_others() -> None:
    acme = serves("acme")
    acme.listed = [Model("acme", "one", context=32_000)]
    found = await catalogue(acme)
    one = found.of("").find("acme:one")[1]
    asked = Request(one, (User("Long. " * 1000),))
    ann, ben = found.known("ann"), found.known("ben")
    ann.learn(one, ann.window(one).counted(asked, 2 * size(asked)))
    assert ann.window(one) == Window(32_000, 2)
    ann.learn(one, ann.window(one).refused(asked, TooLong("Too long.")))
    assert ann.window(one) == Window(int(2 * size(asked) * 0.75), 2)
    assert ben.window(one) == Window(32_000)
    # What the vendor tells in figures is so for everybody.
    ann.learn(one, ann.window(one).refused(asked, TooLong("Too long.", limit=1000)))
    assert (ann.window(one), ben.window(one)) == (Window(1000, 2), Window(1000))
    for number in range(MAX_LEARNED_MODELS + 1):
        found.known(f"owner {number}").learn(one, Window(1000, 1.5))
    assert len(found._reckoned) == MAX_LEARNED_MODELS


async def test_invented_names_of_models_take_no_memory() -> None:
    found = await catalogue(serves("acme"))
    models = [Model("acme", f"invented-{number}") for number in range(MAX_LEARNED_MODELS + 100)]
    for model in models:
        found.refuse(model, "temperature")
        found.learn(model, Window(4096))
    assert len(found._refused) == len(found._windows) == MAX_LEARNED_MODELS
    assert found.refused(models[-1]) == {"temperature"}


async def test_what_the_list_said_is_not_taken_for_learned() -> None:
    acme = serves("acme")
    found = await catalogue(acme)
    found.learn(Model("acme", "one", context=4096), Window(4096, 1.5))
    assert found.window(Model("acme", "one", context=32_000)) == Window(32_000, 1.5)


async def test_a_model_that_was_loaded_for_the_question_is_asked_for_its_size() -> None:
    ollama, cloud = serves("ollama", "one", local=True), serves("acme", "two")
    found = await catalogue(ollama, cloud)
    one, two = found.of("").find("ollama:one")[1], found.of("").find("acme:two")[1]
    ollama.listed, cloud.listed = [Model("ollama", "one", context=4096)], [Model("acme", "two", context=1)]
    found.learn(two, Window(None, 1.1))
    assert found.refresh() is None
    found.learn(one, Window(None, 1.1))
    task = found.refresh()
    assert task is not None
    await task
    assert found.window(found.of("").find("ollama:one")[1]) == Window(4096, 1.1)
    assert found.of("").find("acme:two")[1].context is None
    found.learn(found.of("").find("ollama:one")[1], Window(4096, 1.2))
    assert found.refresh() is None


@pytest.mark.parametrize(
    ("vendor", "settings", "default"),
    [
        ("demo", {}, "demo:tour"),
        ("demo", {"CHAT_MODEL": "demo:fast"}, "demo:fast"),
        ("demo", {"CHAT_MODELS": "openai:gpt-9, demo:fast"}, "demo:fast"),
        ("openai", {"CHAT_MODEL": "demo:fast"}, "openai:gpt-9"),
        ("groq", {}, "groq:"),
    ],
)
async def test_the_default_of_one_vendor(vendor: str, settings: dict[str, Any], default: str) -> None:
    found = await catalogue(DEMO, serves("openai", "gpt-9"), **settings)
    assert found.of("").default_of(vendor) == default
    assert vendor in found.of("").vendors


async def test_a_vendor_whose_list_is_not_there_yet() -> None:
    found = await catalogue(serves("openai"), serves("acme"))
    assert found.of("").default_of("openai") == "openai:gpt-4o-mini"
    with pytest.raises(NotFound, match="No model is named"):
        found.of("").find(found.of("").default_of("acme"))
    with pytest.raises(Config, match="needs a key"):
        found.of("").find(found.of("").default_of("groq"))
    assert "nope" not in found.of("").vendors


async def test_a_file_is_shown_by_its_name_and_asked_for_by_its_path() -> None:
    here = serves("llamacpp", "/models/One.gguf", "/models/a/Two.gguf", "/models/b/Two.gguf", local=True)
    menu = (await catalogue(DEMO, here)).of("")
    assert menu.choices()[2:] == [
        ("llamacpp:One", "llamacpp:/models/One.gguf"),
        ("llamacpp:/models/a/Two.gguf", "llamacpp:/models/a/Two.gguf"),  # each must be told from the other
        ("llamacpp:/models/b/Two.gguf", "llamacpp:/models/b/Two.gguf"),
    ]
    for name in ("llamacpp:/models/One.gguf", "llamacpp:One", "One", "/models/One.gguf"):
        provider, model = menu.find(name)
        assert (provider.vendor.name, model.id) == ("llamacpp", "/models/One.gguf")


async def test_servers_on_this_machine_are_looked_for_again_while_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, cloud = serves("ollama", local=True), serves("acme", "one")
    here.listed = Unreachable("Nobody there.")
    found = await catalogue(here, cloud)
    cloud.listed = Unreachable("Not to be asked.")
    assert found.look() is None  # a moment ago
    here.listed = [Model("ollama", "late")]
    monkeypatch.setattr("chat.catalogue.LOOK_AT_ONCE_S", 0.0)
    assert found.look() is None
    task = found.look(now=True)  # the menu is opened
    assert task is not None
    assert found.look(now=True) is task
    await task
    assert found.of("").names() == ["ollama:late", "acme:one"]
    monkeypatch.setattr("chat.catalogue.LOOK_AGAIN_S", 0.0)
    assert found.look() is None  # one was found: less often
    monkeypatch.setattr("chat.catalogue.LOOK_AGAIN_FOUND_S", 0.0)
    here.listed = Unreachable("Gone.")
    task = found.look()
    assert task is not None
    await task
    assert found.of("").names() == ["acme:one"]
    assert found.gone == {"ollama"}
    assert found.faults == {}


async def test_nobody_is_looked_for_where_no_server_can_be() -> None:
    found = await catalogue(serves("acme", "one"))
    assert found.look(now=True) is None
