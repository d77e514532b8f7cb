"""One frozen object made from one mapping: the only reader of the environment.

`Settings.load()` reads `.env` (which never overrides what is already set) and the process's
environment; `Settings.read(mapping)` reads a mapping, for tests and for anything that embeds
the app. Values are stripped and checked here, and a wrong one raises `Config` with a sentence
that names its variable. What the variables mean for a person is written in `.env.example`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from chat.errors import Config


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that does not show itself in a repr, a log or a traceback."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Chat Completions server of one's own, from `CHAT_ENDPOINTS`."""

    name: str
    url: str
    key: str
    """Name of the variable that holds its key, whether set or not."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `first` and `idle` count content only: pings and comments do not reset them."""

    connect: float = 5
    first: float = 120
    idle: float = 60
    turn: float = 600


@dataclass(frozen=True, slots=True)
class Settings:
    keys: Mapping[str, Secret] = field(default_factory=dict)
    """Every `*_API_KEY` that is set, and `HF_TOKEN`, by variable name."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """`OPENAI_BASE_URL` and `ANTHROPIC_BASE_URL` where set, by variable name."""
    model: str = ""
    models: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    local: bool = True
    host: str = "127.0.0.1"
    port: int = 7860
    port_chosen: bool = False
    """Whether somebody asked for this very port; otherwise the next free one will do."""
    title: str = "Runnel"
    welcome: str = ""
    examples: tuple[str, ...] = ()
    system: str = ""
    docs: Path | None = None
    weather_url: str = "https://api.open-meteo.com"
    demo_pace: float = 1.0
    log_text: bool = False
    public: bool = False
    space: bool = False
    leaving: float | None = None
    """Seconds that a run goes on when nobody reads it. None: until it is finished."""
    database: Path = Path("data/chat.db")
    """Where conversations are kept; `:memory:` keeps them no longer than the program runs."""
    secret: Secret | None = None
    """Signs the cookies. None: one is made and kept beside the database."""
    token: Secret | None = None
    """Whoever brings it with a request over HTTP is the owner at this machine."""
    runs_each: int = 4
    """Answers that one person may have written at once; more of them wait."""
    runs: int = 100
    """Answers that may be written at once in all."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    no_color: bool = False
    """`NO_COLOR` is set, to whatever (https://no-color.org), or the terminal is `dumb`."""

    @classmethod
    def load(cls, dotenv: Path | None = Path(".env")) -> "Settings":
        """From `.env` and the environment. The environment wins."""
        try:
            from_file = dotenv_values(dotenv, interpolate=False) if dotenv else {}
        except UnicodeDecodeError as error:
            raise Config(f"{dotenv} is not UTF-8 text. Save it again with that encoding.") from error
        return cls.read({**{k: v for k, v in from_file.items() if v is not None}, **os.environ})

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """From `environ`. Raises `Config`."""
        env = {name: value.strip() for name, value in environ.items()}
        env = {name: value for name, value in env.items() if value}
        space = "SPACE_ID" in env
        return cls(
            keys={
                name: Secret(value)
                for name, value in env.items()
                if name.endswith("_API_KEY") or name == "HF_TOKEN"
            },
            urls={
                name: _url(name, env[name])
                for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
                if name in env
            },
            model=env.get("CHAT_MODEL", ""),
            models=_list(env.get("CHAT_MODELS", "")),
            endpoints=_endpoints(env.get("CHAT_ENDPOINTS", "")),
            local=_flag(env, "CHAT_LOCAL", not space),
            host=env.get("GRADIO_SERVER_NAME", "0.0.0.0" if space else "127.0.0.1"),
            port=int(_number(env, "GRADIO_SERVER_PORT", 7860, 0, 65535)),
            port_chosen="GRADIO_SERVER_PORT" in env or space,
            title=env.get("CHAT_TITLE", "Runnel"),
            welcome=env.get("CHAT_WELCOME", ""),
            examples=_list(env.get("CHAT_EXAMPLES", ""), "|"),
            system=env.get("CHAT_SYSTEM", ""),
            docs=Path(env["CHAT_DOCS"]).expanduser() if "CHAT_DOCS" in env else None,
            weather_url=_url("CHAT_WEATHER_URL", env.get("CHAT_WEATHER_URL", "https://api.open-meteo.com")),
            demo_pace=_number(env, "CHAT_DEMO_PACE", 1.0, 0, 1000),
            log_text=_flag(env, "CHAT_LOG_TEXT", False),
            public=_flag(env, "CHAT_PUBLIC", False),
            space=space,
            leaving=_leaving(env),
            database=Path(env.get("CHAT_DATABASE", "data/chat.db")).expanduser(),
            secret=_secret(env),
            token=_token(env),
            runs_each=int(_number(env, "CHAT_RUNS_EACH", 4, 1, 10_000)),
            runs=int(_number(env, "CHAT_RUNS", 100, 1, 10_000)),
            deadlines=Deadlines(
                connect=_number(env, "CHAT_CONNECT_TIMEOUT", 5, 0.01, 3600),
                first=_number(env, "CHAT_FIRST_EVENT_TIMEOUT", 120, 0.01, 86400),
                idle=_number(env, "CHAT_IDLE_TIMEOUT", 60, 0.01, 86400),
                turn=_number(env, "CHAT_TURN_TIMEOUT", 600, 0.01, 86400),
            ),
            no_color="NO_COLOR" in env or env.get("TERM") == "dumb",
        )

    def key(self, name: str) -> str:
        """The key in the variable `name`, or "". Raises `Config` for one that cannot stand in a header.

        Without this check the SDKs say no more than «Connection error».
        """
        value = self.keys[name].value if name in self.keys else ""
        if not value.isascii() or (value and not value.isprintable()) or " " in value:
            raise Config(
                f"{name} holds a blank, a line break or a character that no key has. "
                "Copy the key again, without quotes, on one line."
            )
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys' values, to be redacted wherever text leaves."""
        return tuple(secret.value for secret in self.keys.values())

    @property
    def loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1")


def _list(text: str, separator: str = ",") -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in text.split(separator)) if part)


def _url(name: str, value: str) -> str:
    bad = any(c.isspace() or not c.isprintable() for c in value)
    try:
        parts = urlsplit(value)
        bad = bad or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        bad = True
    if bad:
        raise Config(f"{name} is not an address. Write it like https://host/v1, without blanks.")
    if name == "ANTHROPIC_BASE_URL":  # the SDK adds /v1 itself
        value = value.rstrip("/").removesuffix("/v1")
    return value.rstrip("/")


def _endpoints(text: str) -> tuple[Endpoint, ...]:
    found: list[Endpoint] = []
    for part in _list(text):
        name, equals, url = part.partition("=")
        name = name.strip().lower()
        if not equals or not name.replace("-", "").replace("_", "").isalnum():
            raise Config(
                f"CHAT_ENDPOINTS: cannot read «{part}». Write name=https://host/v1, separated by commas."
            )
        key = name.upper().replace("-", "_") + "_API_KEY"
        if any(key == each.key for each in found):
            raise Config(f"CHAT_ENDPOINTS: {key} would belong to two servers. Give each a name of its own.")
        found.append(Endpoint(name, _url("CHAT_ENDPOINTS", url.strip()), key))
    return tuple(found)


def _secret(env: Mapping[str, str]) -> Secret | None:
    value = env.get("CHAT_SECRET", "")
    if value and len(value) < 16:
        raise Config(
            "CHAT_SECRET must have 16 characters or more: whoever guesses it can be anybody. "
            "Leave it away, and a good one is made and kept beside the database."
        )
    return Secret(value) if value else None


def _token(env: Mapping[str, str]) -> Secret | None:
    value = env.get("CHAT_TOKEN", "")
    if value and (len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value):
        raise Config(
            "CHAT_TOKEN must have 16 characters or more, plain ones and no blanks: whoever guesses it can "
            "read your chats. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    return Secret(value) if value else None


def _flag(env: Mapping[str, str], name: str, default: bool) -> bool:
    value = env.get(name, "").lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise Config(f"{name} is a switch: write 1 or 0, not «{value}».")


def _number(env: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = env.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Config(f"{name} must be a number from {low:g} to {high:g}, not «{text}».")
    return value


def _leaving(env: Mapping[str, str]) -> float | None:
    """`CHAT_WHEN_LEFT`: finish, stop, or the seconds after which to stop."""
    value = env.get("CHAT_WHEN_LEFT", "finish").lower()
    if value == "finish":
        return None
    if value == "stop":
        return 0.0
    return _number(env, "CHAT_WHEN_LEFT", 0, 0, 86400)
