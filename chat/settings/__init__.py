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

from dotenv import dotenv_values

from chat.errors import Config
from chat.settings import values
from chat.settings.network import Network
from chat.settings.values import Endpoint, Secret


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
    """`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL` and `OLLAMA_HOST` where set, by variable name."""
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
    personas: Mapping[str, str] = field(default_factory=dict)
    """Ready-made system prompts by name; without any, the page has some of its own."""
    users: Mapping[str, Secret] = field(default_factory=dict)
    """Passwords by name. With any, nobody else gets in."""
    login_header: str = ""
    """The header in which a proxy of `proxies` names who has logged in there."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-…` headers, and `login_header`, are believed."""
    proxy_secret: Secret | None = None
    """What a proxy of `proxies` has to send to be believed. None: its address is enough."""
    hosts: tuple[str, ...] = ()
    """Names under which the page may be asked for, `*.example.com` for all below one. Empty: any."""
    rate: str = ""
    """Questions that one person may ask, as `limits` writes it; several separated by `;`. `0`: any number.
    Empty: what `questions` says."""
    messages_each: int = 0
    """Questions that one visitor may ask in a day. 0: any number."""
    messages: int = 0
    """Questions that all visitors together may ask in a day. 0: any number."""
    max_tokens: int = 0
    """Of an answer, at most. 0: as many as the model gives."""
    max_answer_bytes: int = 2_000_000
    """Of text, thinking and tool calls of one answer. The vendor is left when there are more."""
    leaving: float | None = None
    """Seconds that a run goes on when nobody reads it. None: until it is finished."""
    database: Path = Path("data/chat.db")
    """Where conversations are kept; `:memory:` keeps them no longer than the program runs."""
    journal: values.Journal = "auto"
    """How SQLite keeps a change from being half done. `auto`: as the disk allows."""
    stored_mb_each: int | None = None
    """Megabytes that the chats of one visitor may take. 0: any number. None: what `stored_each` says."""
    stored_mb: int | None = None
    """Megabytes that all chats may take before visitors are refused. 0 and None as above, see `stored`."""
    free_mb: int = 200
    """Megabytes free on the disk below which visitors are refused. 0: none."""
    expire_days: int | None = None
    """Days without use after which a visitor's chat is deleted. 0: never. None: what `expire_s` says."""
    secret: Secret | None = None
    """Signs the cookies. None: one is made and kept beside the database."""
    token: Secret | None = None
    """Whoever brings it with a request over HTTP is the owner at this machine."""
    runs_each: int = 4
    """Answers that one person may have written at once; more of them wait."""
    runs: int = 100
    """Answers that may be written at once in all."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    network: Network = field(default_factory=Network)
    """Proxies and certificates, as the environment names them."""
    no_color: bool = False
    """`NO_COLOR` is set, to whatever (https://no-color.org), or the terminal is `dumb`."""

    @classmethod
    def load(cls, dotenv: Path | None = Path(".env")) -> "Settings":
        """From `.env` and the environment. The environment wins."""
        try:
            from_file = dotenv_values(dotenv, interpolate=False) if dotenv else {}
        except UnicodeDecodeError as error:
            raise Config(f"{dotenv} is not UTF-8 text. Save it again with that encoding.") from error
        return cls.read({**{k: v for k, v in from_file.items() if v is not None}, **os.environ}, system=True)

    @classmethod
    def read(cls, environ: Mapping[str, str], *, system: bool = False) -> "Settings":
        """From `environ`, and the `system`'s own settings where it says nothing of proxies. Raises
        `Config`."""
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
                name: values.url(name, env[name])
                for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
                if name in env
            }
            | values.ollama(env),
            model=env.get("CHAT_MODEL", ""),
            models=values.parts(env.get("CHAT_MODELS", "")),
            endpoints=values.endpoints(env.get("CHAT_ENDPOINTS", "")),
            local=values.flag(env, "CHAT_LOCAL", not space),
            host=env.get("GRADIO_SERVER_NAME", "0.0.0.0" if space else "127.0.0.1"),
            port=int(values.number(env, "GRADIO_SERVER_PORT", 7860, 0, 65535)),
            port_chosen="GRADIO_SERVER_PORT" in env or space,
            title=env.get("CHAT_TITLE", "Runnel"),
            welcome=env.get("CHAT_WELCOME", ""),
            examples=values.parts(env.get("CHAT_EXAMPLES", ""), "|"),
            system=env.get("CHAT_SYSTEM", ""),
            docs=Path(env["CHAT_DOCS"]).expanduser() if "CHAT_DOCS" in env else None,
            weather_url=values.url(
                "CHAT_WEATHER_URL", env.get("CHAT_WEATHER_URL", "https://api.open-meteo.com")
            ),
            demo_pace=values.number(env, "CHAT_DEMO_PACE", 1.0, 0, 1000),
            log_text=values.flag(env, "CHAT_LOG_TEXT", False),
            public=values.flag(env, "CHAT_PUBLIC", False),
            space=space,
            personas=values.personas(env.get("CHAT_PERSONAS", "")),
            users=values.users(env.get("CHAT_USERS", "")),
            login_header=values.login_header(env),
            proxies=values.proxies(env.get("CHAT_PROXIES", "")),
            proxy_secret=values.proxy_secret(env),
            hosts=values.hosts(env.get("CHAT_HOSTS", "")),
            rate=values.rate(env.get("CHAT_RATE", "")),
            messages_each=int(values.number(env, "CHAT_MESSAGES_EACH", 0, 0, 1_000_000)),
            messages=int(values.number(env, "CHAT_MESSAGES", 0, 0, 100_000_000)),
            max_tokens=int(values.number(env, "CHAT_MAX_TOKENS", 0, 0, 10_000_000)),
            max_answer_bytes=int(values.number(env, "CHAT_MAX_ANSWER_BYTES", 2_000_000, 1_000, 4_000_000)),
            leaving=values.leaving(env),
            database=Path(env.get("CHAT_DATABASE", "data/chat.db")).expanduser(),
            journal=values.journal(env.get("CHAT_DATABASE_JOURNAL", "auto")),
            stored_mb_each=values.optional(env, "CHAT_MAX_STORED_MB_PER_VISITOR", 0, 1_000_000_000),
            stored_mb=values.optional(env, "CHAT_MAX_STORED_MB", 0, 1_000_000_000),
            free_mb=int(values.number(env, "CHAT_MIN_FREE_MB", 200, 0, 1_000_000_000)),
            expire_days=values.optional(env, "CHAT_VISITOR_CHATS_EXPIRE_DAYS", 0, 36_500),
            secret=values.secret(env),
            token=values.token(env),
            runs_each=int(values.number(env, "CHAT_RUNS_EACH", 4, 1, 10_000)),
            runs=int(values.number(env, "CHAT_RUNS", 100, 1, 10_000)),
            deadlines=Deadlines(
                connect=values.number(env, "CHAT_CONNECT_TIMEOUT", 5, 0.01, 3600),
                first=values.number(env, "CHAT_FIRST_EVENT_TIMEOUT", 120, 0.01, 86400),
                idle=values.number(env, "CHAT_IDLE_TIMEOUT", 60, 0.01, 86400),
                turn=values.number(env, "CHAT_TURN_TIMEOUT", 600, 0.01, 86400),
            ),
            network=Network.read(environ, system=system),
            no_color="NO_COLOR" in env or env.get("TERM") == "dumb",
        )

    def key(self, name: str) -> str:
        """The key in the variable `name`, or "". Raises `Config` for one that cannot stand in a header.

        Without this check the SDKs say no more than “Connection error”.
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
    def login(self) -> bool:
        """Whether people have to say who they are."""
        return bool(self.users or self.login_header)

    @property
    def shares_keys(self) -> bool:
        """Whether everybody who may ask spends `keys`. Otherwise the owner at this machine alone does, and
        visitors bring their own."""
        if self.login:
            return True
        if self.public:
            return bool(self.messages_each and self.messages and self.max_tokens)
        return self.alone

    @property
    def alone(self) -> bool:
        """Whether nobody can come but from this machine: no setting speaks of others, or of a way to them."""
        ways = self.public or self.space or self.login or self.proxies or self.hosts
        return self.loopback and not ways

    @property
    def named_locally(self) -> bool:
        """Whether the page goes by this machine's own names and those of `hosts`: no proxy passes others on.
        Unlike `alone`, also with a login or on a Space."""
        return self.loopback and not (self.public or self.proxies)

    @property
    def believes_neighbours(self) -> bool:
        """Whether any program on this machine can say that it is the proxy."""
        return self.proxy_secret is None and any(values.is_loopback(each) for each in self.proxies)

    @property
    def stored_each(self) -> int:
        """Bytes that one visitor may keep; 0 for any number, as on this machine alone unless it is set."""
        return 1_000_000 * self._where_others_come(self.stored_mb_each, 50)

    @property
    def stored(self) -> int:
        """As `stored_each`, of all together."""
        return 1_000_000 * self._where_others_come(self.stored_mb, 5_000)

    @property
    def free(self) -> int:
        """Bytes free on the disk below which nobody's question is kept but the operator's."""
        return 0 if self.alone else 1_000_000 * self.free_mb

    @property
    def expire_s(self) -> float:
        """Seconds without use after which a visitor's chat is deleted. 0 for never, as on this machine alone
        unless it is set: there the visitors are the operator's own browsers and programs."""
        return 86_400.0 * self._where_others_come(self.expire_days, 30)

    def _where_others_come(self, chosen: int | None, usual: int) -> int:
        return chosen if chosen is not None else 0 if self.alone else usual

    @property
    def questions(self) -> str:
        """`rate` as it holds; "" for any number. Without one set it holds where others can come."""
        rate = self.rate or ("0" if self.alone else "60/minute")
        return "" if rate == "0" else rate

    @property
    def loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1")
