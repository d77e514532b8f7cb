"""Settings from a mapping; `.env.example` held against what is really read."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from chat.errors import Config
from chat.providers.vendors import VENDORS
from chat.settings import Deadlines, Endpoint, Secret, Settings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)

OF_THE_PLACE = {"SPACE_ID"}
"""Read, but set by Hugging Face and never by a person."""


def read() -> set[str]:
    """The variables that `chat.settings` and the table of vendors name."""
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "chat/settings").glob("*.py")]
    constants = {node.value for tree in sources for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    named = {text for text in constants if isinstance(text, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", text)}
    vendors = {name for vendor in VENDORS for name in (vendor.key, vendor.url_variable) if name}
    return (named | vendors) - OF_THE_PLACE


def test_the_example_names_every_variable_and_no_other():
    listed = [name for name, _ in LINE.findall(EXAMPLE)]
    assert set(listed) == read()
    assert len(listed) == len(set(listed))


def test_every_variable_of_the_example_is_explained():
    for block in re.split(r"\n\n+", EXAMPLE):
        lines = block.splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            if LINE.match(line):
                assert before.startswith("#"), f"{line} has no explanation"


def test_every_line_of_the_example_shows_the_default():
    shown = dict(LINE.findall(EXAMPLE))
    defaults = {name: value for name, value in shown.items() if not name.endswith("_BASE_URL")}
    assert replace(Settings.read(defaults), port_chosen=False) == Settings.read({}) == Settings()
    urls = {
        vendor.url_variable: vendor.url for vendor in VENDORS if vendor.url_variable.endswith("_BASE_URL")
    }
    assert {name: shown[name] for name in urls} == urls


def test_a_copied_example_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.delenv("CHAT_LOCAL")
    assert Settings.load(tmp_path / ".env") == Settings.load(None)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("CHAT_TITLE=File\nCHAT_SYSTEM='from $HOME ${HOME}'\nCHAT_MODEL\n")
    monkeypatch.setenv("CHAT_TITLE", "Environment")
    settings = Settings.load(tmp_path / ".env")
    assert (settings.title, settings.system, settings.model) == ("Environment", "from $HOME ${HOME}", "")


def test_a_missing_file_is_no_mistake(tmp_path: Path):
    assert Settings.load(tmp_path / "none").title == "Runnel"


def test_all_at_once():
    settings = Settings.read(
        {
            "OPENAI_API_KEY": " sk-1 ",
            "HF_TOKEN": "hf",
            "MY_BOX_API_KEY": "box",
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/v1/",
            "CHAT_MODEL": "my-box:llama",
            "CHAT_MODELS": "a:b, c:d:e,,",
            "CHAT_ENDPOINTS": "my-box=http://box:8000/v1, other=https://o.example/v1/",
            "CHAT_EXAMPLES": "One, two|Three",
            "CHAT_LOCAL": "no",
            "CHAT_PUBLIC": "TRUE",
            "CHAT_IDLE_TIMEOUT": "0.5",
            "CHAT_WHEN_LEFT": "stop",
            "CHAT_TITLE": "",
            "PATH": "/bin",
        }
    )
    assert settings == Settings(
        keys={"OPENAI_API_KEY": Secret("sk-1"), "HF_TOKEN": Secret("hf"), "MY_BOX_API_KEY": Secret("box")},
        urls={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
        model="my-box:llama",
        models=("a:b", "c:d:e"),
        endpoints=(
            Endpoint("my-box", "http://box:8000/v1", "MY_BOX_API_KEY"),
            Endpoint("other", "https://o.example/v1", "OTHER_API_KEY"),
        ),
        examples=("One, two", "Three"),
        local=False,
        public=True,
        leaving=0.0,
        deadlines=Deadlines(idle=0.5),
    )


def test_on_a_space_the_defaults_are_others():
    settings = Settings.read({"SPACE_ID": "me/chat"})
    assert (settings.space, settings.local, settings.host, settings.loopback) == (
        True,
        False,
        "0.0.0.0",
        False,
    )


@pytest.mark.parametrize(("value", "leaving"), [("finish", None), ("Stop", 0.0), ("30", 30.0)])
def test_what_becomes_of_an_answer_nobody_reads(value: str, leaving: float | None):
    assert Settings.read({"CHAT_WHEN_LEFT": value}).leaving == leaving


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_BASE_URL", "https://api openai.com/v1"),
        ("OPENAI_BASE_URL", "https://api.openai.com\n/v1"),
        ("ANTHROPIC_BASE_URL", "ftp://api.anthropic.com"),
        ("CHAT_WEATHER_URL", "http://[::1"),
        ("CHAT_WEATHER_URL", "http://host:notaport"),
        ("CHAT_ENDPOINTS", "http://host/v1"),
        ("CHAT_ENDPOINTS", "box=nowhere"),
        ("CHAT_ENDPOINTS", "a b=http://host/v1"),
        ("CHAT_LOCAL", "maybe"),
        ("CHAT_PUBLIC", "2"),
        ("GRADIO_SERVER_PORT", "70000"),
        ("GRADIO_SERVER_PORT", "seven"),
        ("CHAT_IDLE_TIMEOUT", "0"),
        ("CHAT_IDLE_TIMEOUT", "nan"),
        ("CHAT_TURN_TIMEOUT", "-5"),
        ("CHAT_WHEN_LEFT", "sometimes"),
        ("CHAT_SECRET", "hunter2"),
        ("CHAT_RUNS", "0"),
        ("CHAT_RUNS_EACH", "-1"),
        ("CHAT_DEMO_PACE", "1e9"),
        ("CHAT_RATE", "soon"),
        ("CHAT_RATE", "10/fortnight"),
        ("CHAT_RATE", "0/minute"),
        ("CHAT_RATE", "10/minute; rubbish"),
        ("CHAT_RATE", "9" * 5000 + "/minute"),
        ("CHAT_HOSTS", "https://chat.example"),
        ("CHAT_HOSTS", "chat.example:8443"),
        ("CHAT_HOSTS", "chat.*"),
        ("CHAT_HOSTS", "a b"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str):
    with pytest.raises(Config, match=name):
        Settings.read({name: value})


@pytest.mark.parametrize("bad", ["sk-1\nsk-2", "sk 1", "sk-é", "“sk-1”", "sk\t1"])
def test_a_key_that_cannot_stand_in_a_header_names_its_variable_and_is_not_shown(bad: str):
    settings = Settings.read({"OPENAI_API_KEY": bad})
    with pytest.raises(Config, match="OPENAI_API_KEY") as caught:
        settings.key("OPENAI_API_KEY")
    assert bad not in str(caught.value)


@pytest.mark.parametrize("bad", ["short", "with a blank in it", "“seventeen chars”", "x" * 15])
@pytest.mark.parametrize("name", ["CHAT_TOKEN", "CHAT_PROXY_SECRET"])
def test_a_token_that_is_easily_guessed_or_no_header_takes_is_refused(name: str, bad: str):
    with pytest.raises(Config, match=name) as caught:
        Settings.read({name: bad, "CHAT_PROXIES": "127.0.0.1"})
    assert bad not in str(caught.value)


def test_a_proxys_secret_needs_a_proxy():
    with pytest.raises(Config, match="CHAT_PROXIES"):
        Settings.read({"CHAT_PROXY_SECRET": "x" * 16})


@pytest.mark.parametrize(
    ("proxies", "believes"),
    [
        ("127.0.0.1", True),
        ("10.0.0.5, 127.0.0.0/8", True),
        ("::1", True),
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("10.0.0.0/8", False),
        ("2001:db8::1", False),
        ("", False),
    ],
)
def test_whether_any_program_on_this_machine_passes_for_the_proxy(proxies: str, believes: bool):
    assert Settings.read({"CHAT_PROXIES": proxies}).believes_neighbours is believes
    if proxies:
        secret = {"CHAT_PROXIES": proxies, "CHAT_PROXY_SECRET": "x" * 16}
        assert not Settings.read(secret).believes_neighbours


def test_a_token():
    settings = Settings.read({"CHAT_TOKEN": "x" * 16})
    assert settings.token == Secret("x" * 16)
    assert "xxxx" not in repr(settings)
    assert Settings.read({}).token is None


def test_keys_do_not_show_themselves():
    settings = Settings.read({"OPENAI_API_KEY": "sk-secret"})
    assert "sk-secret" not in f"{settings} {settings!r} {settings.keys} {settings.keys['OPENAI_API_KEY']}"
    assert settings.key("OPENAI_API_KEY") == "sk-secret"
    assert settings.key("GROQ_API_KEY") == ""
    assert settings.secrets == ("sk-secret",)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.2", False)],
)
def test_what_counts_as_this_machine(host: str, loopback: bool):
    assert Settings.read({"GRADIO_SERVER_NAME": host}).loopback is loopback


def test_two_servers_never_share_a_key():
    with pytest.raises(Config, match="MY_BOX_API_KEY"):
        Settings.read({"CHAT_ENDPOINTS": "my-box=http://a/v1,my_box=http://b/v1"})


def test_a_file_in_another_encoding_is_named(tmp_path: Path):
    (tmp_path / ".env").write_bytes("CHAT_TITLE=Café".encode("utf-16"))
    with pytest.raises(Config, match="UTF-8"):
        Settings.load(tmp_path / ".env")


@pytest.mark.parametrize(
    ("environ", "shared"),
    [
        ({}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ({"SPACE_ID": "me/chat"}, False),
        ({"CHAT_PUBLIC": "1"}, False),
        ({"CHAT_PUBLIC": "1", "CHAT_MESSAGES_EACH": "20", "CHAT_MESSAGES": "500"}, False),
        (
            {
                "CHAT_PUBLIC": "1",
                "CHAT_MESSAGES_EACH": "20",
                "CHAT_MESSAGES": "500",
                "CHAT_MAX_TOKENS": "900",
            },
            True,
        ),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "CHAT_USERS": "ada:long enough"}, True),
        ({"SPACE_ID": "me/chat", "CHAT_LOGIN_HEADER": "X-User", "CHAT_PROXIES": "10.0.0.0/8"}, True),
    ],
)
def test_the_keys_are_for_everybody_only_where_that_is_safe(environ: dict[str, str], shared: bool):
    assert Settings.read(environ).shares_keys is shared


def test_people_personas_and_proxies_are_read():
    settings = Settings.read(
        {
            "CHAT_USERS": "ada:pass:with colon, bob: eight or more",
            "CHAT_PERSONAS": "Chef = You cook. | Judge=You judge = weigh.",
            "CHAT_PROXIES": "10.0.0.0/8, ::1",
            "CHAT_LOGIN_HEADER": "X-Forwarded-User",
            "CHAT_HOSTS": "Chat.Example.com",
        }
    )
    assert settings.users == {"ada": Secret("pass:with colon"), "bob": Secret("eight or more")}
    assert settings.personas == {"Chef": "You cook.", "Judge": "You judge = weigh."}
    assert settings.proxies == ("10.0.0.0/8", "::1")
    assert settings.login_header == "x-forwarded-user"
    assert settings.hosts == ("chat.example.com",)


@pytest.mark.parametrize(
    "environ",
    [
        {"CHAT_USERS": "ada"},
        {"CHAT_USERS": "ada:short"},
        {"CHAT_USERS": "ada:long enough,ada:long enough"},
        {"CHAT_PERSONAS": "only a name"},
        {"CHAT_PROXIES": "proxy.example.com"},
        {"CHAT_LOGIN_HEADER": "X-User"},
        {"CHAT_LOGIN_HEADER": "X User", "CHAT_PROXIES": "10.0.0.1"},
    ],
)
def test_who_may_come_in_is_never_guessed(environ: dict[str, str]):
    with pytest.raises(Config) as refused:
        Settings.read(environ)
    assert next(iter(environ)) in str(refused.value)
    assert "long enough" not in str(refused.value)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "alone"),
    [
        ({}, True),
        ({"GRADIO_SERVER_NAME": "localhost", "CHAT_RATE": "1/hour", "CHAT_TOKEN": "x" * 16}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ({"CHAT_PUBLIC": "1"}, False),
        ({"SPACE_ID": "me/chat", "GRADIO_SERVER_NAME": "127.0.0.1"}, False),
        ({"CHAT_USERS": "ann:password"}, False),
        ({"CHAT_PROXIES": "127.0.0.1"}, False),
        ({"CHAT_HOSTS": "chat.example"}, False),
    ],
)
def test_whether_others_can_come(environ: dict[str, str], alone: bool):
    settings = Settings.read(environ)
    assert settings.alone is alone
    assert settings.questions == environ.get("CHAT_RATE", "" if alone else "60/minute")
    assert Settings.read(environ | {"CHAT_RATE": "0"}).questions == ""
    assert Settings.read(environ | {"CHAT_RATE": "5/day;"}).questions == "5/day"
    assert settings.shares_keys is (alone or settings.login)


def test_the_keys_are_everybody_s_only_with_every_limit_set():
    limits = {"CHAT_MESSAGES_EACH": "9", "CHAT_MESSAGES": "99", "CHAT_MAX_TOKENS": "999"}
    assert Settings.read({"CHAT_PUBLIC": "1", **limits}).shares_keys
    for missing in limits:
        fewer = {name: value for name, value in limits.items() if name != missing}
        assert not Settings.read({"CHAT_PUBLIC": "1", **fewer}).shares_keys


def test_names_of_the_page():
    read = Settings.read({"CHAT_HOSTS": "Chat.Example., *.example.com, 192.0.2.1, ::1, *"}).hosts
    assert read == ("chat.example", "*.example.com", "192.0.2.1", "::1", "*")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:9", "http://127.0.0.1:9/v1"),
        ("127.0.0.1", "http://127.0.0.1:11434/v1"),
        (":9", "http://127.0.0.1:9/v1"),
        ("box", "http://box:11434/v1"),
        ("box:9", "http://box:9/v1"),
        ("'box:9'", "http://box:9/v1"),
        ("box:", "http://box:11434/v1"),
        ("box:99999", "http://box:11434/v1"),
        ("http://box", "http://box:80/v1"),
        ("https://box", "https://box:443/v1"),
        ("https://box:9/ollama/", "https://box:9/ollama/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("[::1]:9", "http://[::1]:9/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("::", "http://[::1]:11434/v1"),
        ("[::]:9", "http://[::1]:9/v1"),
        ("http://[::1]:9", "http://[::1]:9/v1"),
        ("", None),
        ("ftp://box", None),
        ("a b", None),
        ("http://", None),
        ("me:pass@box:9", None),
    ],
)
def test_where_ollama_is(value: str, url: str | None):
    assert Settings.read({"OLLAMA_HOST": value}).urls.get("OLLAMA_HOST") == url
