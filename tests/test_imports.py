"""Who may import whom, held by reading the source. A new module needs a place in the table first.

values ← nothing of ours, then each layer only what lies below it; a vendor's SDK is named nowhere
but in `chat.providers`, Gradio nowhere but in `chat.ui` and `app`; nothing imports `app`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

VALUES = {"chat.messages", "chat.models", "chat.events", "chat.errors", "chat.figures", "chat.unicode"}
CONTRACT = {"chat.providers"}
"""The package's `__init__` and `vendors`, not the protocols."""
ENGINE = {
    *("chat.deadlines", "chat.attempts", "chat.catalogue", "chat.menu", "chat.wallet", "chat.tools"),
    *("chat.transcript", "chat.settings"),
    "chat.context",
    *CONTRACT,
    *VALUES,
}
FACE = {
    *("chat.build", "chat.run", "chat.runs", "chat.store", "chat.conversations", "chat.owners"),
    *("chat.transcript", "chat.outcomes", "chat.refusals", "chat.public"),
    *("chat.pacing", "chat.sse", "chat.settings", "chat.catalogue", "chat.tools", "chat.extract"),
    *("chat.menu", "chat.wallet", "chat.logins", "chat.outbound"),
    *("chat.export", "chat.shares", "chat.titles", *VALUES),
}

# Each part of the program, by the longest prefix of a module's name, with the parts it may import.
# A part may always import itself. `chat.providers.*` are the protocols, `chat.providers` the contract.
TABLE: dict[str, set[str]] = {
    "chat.messages": VALUES,
    "chat.models": {"chat.figures"},
    "chat.figures": set(),
    "chat.events": VALUES,
    "chat.errors": set(),
    "chat.entries": VALUES,
    "chat.garbage": set(),
    "chat.refusals": {"chat.errors"},
    "chat.unicode": set(),
    "chat.sse": VALUES,
    "chat.extract": set(),
    "chat.passwords": set(),
    "chat.settings": {"chat.passwords", *VALUES},
    "chat.transcript": VALUES,
    "chat.pacing": {"chat.transcript", *VALUES},  # what it times are the transcript's frames
    "chat.outbound": {"chat.settings"},
    "chat.deadlines": {"chat.settings", *CONTRACT, *VALUES},
    "chat.tools": {"chat.settings", "chat.outbound", *VALUES},
    "chat.providers": {"chat.sse", "chat.settings", "chat.outbound", "chat.garbage", *VALUES},
    "chat.context": VALUES,
    "chat.wallet": {"chat.settings", "chat.context", *CONTRACT, *VALUES},
    "chat.menu": {"chat.settings", *CONTRACT, *VALUES},
    "chat.catalogue": {
        *("chat.settings", "chat.context", "chat.menu", "chat.owners", "chat.wallet", *CONTRACT, *VALUES),
    },
    "chat.adapting": VALUES,
    "chat.public": VALUES,
    "chat.attempts": {
        *("chat.settings", "chat.adapting", "chat.context", "chat.deadlines", *CONTRACT, *VALUES),
    },
    "chat.allowance": VALUES,
    "chat.reply": VALUES,
    "chat.engine": {"chat.allowance", "chat.reply", "chat.owners", "chat.public", *ENGINE},
    "chat.turn_log": {"chat.transcript"},
    "chat.conversations": {"chat.transcript", *VALUES},
    "chat.outcomes": {"chat.transcript", *VALUES},
    "chat.export": {"chat.conversations", "chat.outcomes", "chat.transcript", *VALUES},
    "chat.sign_outs": set(),
    "chat.owners": {"chat.sign_outs"},
    "chat.guesses": {"chat.limits", "chat.counts"},
    "chat.logins": {
        "chat.guesses",
        "chat.owners",
        "chat.passwords",
        "chat.sign_outs",
        "chat.settings",
        *VALUES,
    },
    "chat.titles": {"chat.unicode"},
    "chat.store": {
        *("chat.conversations", "chat.owners", "chat.settings", "chat.shares", "chat.titles"),
        *("chat.transcript", *VALUES),
    },
    "chat.counts": set(),
    "chat.limits": {"chat.counts", "chat.owners", "chat.settings", *VALUES},
    "chat.slots": VALUES,
    "chat.shares": VALUES,
    "chat.quotas": {"chat.owners", "chat.settings", "chat.store", *VALUES},
    "chat.run": {"chat.entries", "chat.turn_log", "chat.transcript", *VALUES},
    "chat.runs": {
        *(
            "chat.run",
            "chat.slots",
            "chat.limits",
            "chat.quotas",
            "chat.settings",
            "chat.store",
            "chat.conversations",
        ),
        *("chat.owners", *VALUES),
    },
    "chat.build": {
        "chat.sign_outs",
        *(
            "chat.engine",
            "chat.runs",
            "chat.quotas",
            "chat.slots",
            "chat.limits",
            "chat.store",
            "chat.pacing",
        ),
        *("chat.owners", *ENGINE),
    },
    "chat.ui": {"chat.limits", *FACE},
    "chat.api": {"chat.limits", "chat.sign_outs", *FACE},
    "chat.cli": {"chat.passwords", *FACE},
    "chat.standard": set(),
    "chat.__main__": {"chat.cli", "chat.standard"},
    "chat": set(),
    "chat.connections": {"chat.limits"},
    "chat.ending": set(),
    "chat.log_budget": set(),
    "chat.server": {
        *(
            "chat.api",
            "chat.build",
            "chat.connections",
            "chat.ending",
            "chat.garbage",
            "chat.settings",
            "chat.errors",
        ),
    },
    "app": {
        "chat.standard",
        *("chat.ui", "chat.api", "chat.build", "chat.server", "chat.logins", "chat.settings", "chat.errors"),
        *("chat.ending", "chat.log_budget"),
    },
}

EXCEPTIONS = {
    # The examples of the empty page lead through the demo's script, so the script words them.
    ("chat.ui.welcome", "chat.providers.demo"),
}

# Libraries that belong to somebody, and the reason why only they may name them.
OWNERS: dict[str, tuple[str, ...]] = {
    "openai": ("chat.providers",),
    "anthropic": ("chat.providers",),
    # build: the tests' transport; doctor: it meets a served Runnel as any program would.
    "httpx2": ("chat.outbound", "chat.providers", "chat.tools.get_weather", "chat.build", "chat.cli.doctor"),
    "gradio": ("chat.ui", "app"),
    "gradio_client": (),
    "fastapi": ("chat.api", "chat.ui", "app"),
    "starlette": ("chat.api", "chat.ui", "app"),
    "uvicorn": ("chat.server", "chat.connections"),
    "h11": ("chat.connections",),
    "sqlalchemy": ("chat.store",),
    "aiosqlite": ("chat.store",),
    "sqlite3": ("chat.store", "chat.tools.search_docs"),
    "simpleeval": ("chat.tools.calculate",),
    "dotenv": ("chat.settings",),
    "limits": ("chat.limits", "chat.counts", "chat.guesses", "chat.settings"),
    "httpx": (),  # the SDKs speak httpx2; a second client would be one too many
    "requests": (),
}


def modules() -> dict[str, Path]:
    """Our modules by dotted name."""
    paths = [*(ROOT / "chat").rglob("*.py"), ROOT / "app.py"]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if path.exists()
    }


MODULES = modules()


def imported(source: str, name: str, package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and full name of all that `source`, the module `name`, imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                above = parts[: len(parts) - node.level + package]
                base = ".".join([*above, *filter(None, [base])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in MODULES else base


def part(name: str) -> str | None:
    """The row of the table that the module belongs to."""
    if name in TABLE:
        return name
    above = name.rpartition(".")[0]
    # What lies in a package belongs to it, but a file directly in chat/ needs a row of its own.
    return part(above) if above and above != "chat" else None


def faults(source: str, name: str, package: bool = False) -> list[str]:
    """What the module `name` imports and may not, as sentences."""
    mine = part(name)
    if mine is None:
        return [f"{name} has no row in the table of {Path(__file__).name}"]
    found = []
    for line, other in imported(source, name, package):
        top = other.partition(".")[0]
        if top in ("chat", "app"):
            theirs = part(other)
            private = theirs == "chat.providers" and other not in ("chat.providers", "chat.providers.vendors")
            allowed = theirs == mine or (theirs in TABLE[mine] and not (private and mine != "chat.build"))
        else:
            owners = OWNERS.get(top)
            allowed = owners is None or any(name == owner or name.startswith(owner + ".") for owner in owners)
        if not allowed and (name, other) not in EXCEPTIONS:
            found.append(f"{name}, line {line}: may not import {other}")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_lies_below_it(name: str):
    path = MODULES[name]
    assert faults(path.read_text(encoding="utf-8"), name, path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("chat.engine", "import openai"),
        ("chat.runs", "def later():\n    from anthropic.types import Message"),
        ("chat.cli", "import gradio as gr"),
        ("chat.store", "from chat.engine import Engine"),
        ("chat.store", "from chat import engine"),
        ("chat.store", "from . import engine"),
        ("chat.tools.calculate", "from ..engine import Engine"),
        ("chat.tools", "from ..engine import Engine"),
        ("chat.engine", "from chat.providers.demo import Demo"),
        ("chat.ui.page", "from chat.api import server"),
        ("chat.ui.page", "import app"),
        ("chat.tools.current_time", "import sqlite3"),
        ("chat.newcomer", ""),
    ],
)
def test_the_table_is_enforced(name: str, source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MODULES, "chat.engine", ROOT / "chat/engine.py")
    monkeypatch.setitem(MODULES, "chat.api.server", ROOT / "chat/api/server.py")
    assert faults(source, name, package=name == "chat.tools")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("chat.engine", "from chat.events import Event\nimport asyncio\nfrom chat.providers import Provider"),
        ("chat.tools.calculate", "from . import tool"),
        ("chat.ui.page", "import gradio\nfrom chat.ui.look import css\nfrom chat.tools import Switch"),
        (
            "chat.providers.clients",
            "import openai, anthropic, httpx2\nfrom chat.providers.faults import mapped",
        ),
    ],
)
def test_what_the_table_allows_passes(name: str, source: str):
    assert faults(source, name) == []


def test_only_the_settings_read_the_environment():
    """Writing it is another matter: Gradio is told by variables, before it is imported."""
    readers = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "getenv")
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "items", "copy")
            and isinstance(node.func.value, ast.Attribute)
            and node.func.value.attr == "environ"
        )
        or (isinstance(node, ast.Dict) and any(_is_environ(value) for value in node.values))
        or (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_environ(node.value))
    }
    assert readers == {"chat.settings"}


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"
