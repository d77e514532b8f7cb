"""This machine: Python and the packages, `.env`, the disk, the port, what signs the cookies."""

import difflib
import importlib.metadata
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chat.cli.doctor.outcome import Outcome, failed, ok, warning
from chat.settings import Settings
from chat.store import MEMORY, Store

REQUIREMENTS = Path(__file__).parents[3] / "requirements.txt"
EXAMPLE = REQUIREMENTS.with_name(".env.example")
OLDEST = (3, 11)
"""Python that works."""
FULL, SHORT = 50_000_000, 1_000_000_000
"""Bytes left on the disk: too few to go on, and few enough to say so."""
NEARLY = 0.8
"""Of what may be stored, when to say so."""
SAVING = 5.0
"""Seconds that a save may take."""
_LINE = r"(?:export[ \t]+)?([A-Z][A-Z0-9_]*)[ \t]*="
_SET, _SHOWN = (re.compile(rf"^[ \t]*{mark}{_LINE}", re.MULTILINE) for mark in ("", "#?"))
"""Lines of `.env`, and of the example, where they are comments."""
_INSTALL = "python -m pip install -r requirements.txt"


def installed() -> Iterator[Outcome]:
    yield python(sys.version_info[:3])
    yield packages(REQUIREMENTS)


def python(version: tuple[int, ...]) -> Outcome:
    name = ".".join(map(str, version))
    if version < OLDEST:
        return failed("python", f"Python {name} is too old.", "Install Python 3.11 or newer.")
    return ok("python", f"Python {name}")


def packages(requirements: Path) -> Outcome:
    """Whether what is installed is what `requirements` pins."""
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return warning("packages", f"requirements.txt cannot be read ({error.strerror}).")
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    missing, other = [], []
    for name, pin in pins.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if version != pin:
            other.append(f"{name} {version} in the place of {pin}")
    if missing:
        return failed("packages", f"Not installed: {', '.join(missing)}.", _INSTALL)
    if other:
        return warning("packages", f"Not as requirements.txt says: {', '.join(other)}.", _INSTALL)
    return ok("packages", f"{len(pins)} packages, each as requirements.txt says")


def kept_apart(path: Path = Path(".env")) -> Iterator[Outcome]:
    """`.env`, which holds keys: who else may read it, and whether a commit takes it along."""
    if not path.exists():
        yield ok(".env", "There is none: every setting comes from the environment, or is the default")
        return
    try:
        path.read_bytes()
    except OSError as error:
        yield failed(
            ".env",
            f".env cannot be read ({error.strerror}).",
            "Make it readable for the user that Runnel runs as.",
        )
        return
    if others_read(path):
        yield warning(".env", ".env may be read by other users of this machine.", "chmod 600 .env")
    elif _git("ls-files", "--error-unmatch", str(path)) == 0:
        yield failed(
            ".env",
            ".env is part of the git repository: whoever has a copy has its keys.",
            "git rm --cached .env, and make new keys where it was pushed.",
        )
    elif _git("check-ignore", "-q", str(path)) == 1:
        yield warning(".env", ".env is not ignored by git.", "echo .env >> .gitignore")
    else:
        yield ok(".env", "It can be read, by nobody else, and no commit takes it along")


def names(settings: Settings, path: Path = Path(".env"), known: Path = EXAMPLE) -> Outcome | None:
    """Whether each line of `.env` that looks like a setting is one; None where nothing can be compared.

    A variable whose name is written wrong is not there, and nobody says so.
    """
    try:
        ours = _SHOWN.findall(known.read_text(encoding="utf-8"))
        written = _SET.findall(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    ours += [endpoint.key for endpoint in settings.endpoints]
    looks = (name for name in written if name.startswith("CHAT_") or name.endswith(("_API_KEY", "_TOKEN")))
    strange = [name for name in dict.fromkeys(looks) if name not in ours]
    if not strange:
        return ok("names", "Every line of .env that looks like a setting is one")
    meant = [match for name in strange for match in difflib.get_close_matches(name, ours, 1)]
    return warning(
        "names",
        f"No setting is called {', '.join(strange)}: .env has it for nothing.",
        f"Perhaps {', '.join(meant)} is meant." if meant else "See .env.example.",
    )


async def store(settings: Settings, opened: Store) -> Outcome:
    """Whether it takes what is said now."""
    path = settings.database
    if path == MEMORY:
        return warning(
            "store", "Conversations last as long as the program.", "Set CHAT_DATABASE to a file to keep them."
        )
    if not await opened.saved(SAVING) or opened.trouble:
        why = opened.trouble or f"Saving in {path} takes longer than {SAVING:g} s."
        return failed("store", why, "Look at the disk, and whom its folder belongs to.")
    if opened.notice:
        return warning(
            "store",
            opened.notice,
            "Set CHAT_DATABASE_JOURNAL=auto, or CHAT_DATABASE to a file on a disk of this machine.",
        )
    alone = ", by one process at a time: see CHAT_DATABASE_JOURNAL" if opened.alone else ""
    return ok("store", f"Conversations are saved in {path}{alone}")


async def room(settings: Settings, opened: Store) -> Outcome:
    """How much the chats take of what they may."""
    size, (strangers, most) = await opened.size(), await opened.strangers()
    figures = {"stored_mb": size // 1_000_000, "visitors": strangers, "most_mb": most // 1_000_000}
    said = f"The database has {size / 1e6:,.1f} MB"
    if settings.stored:
        said += f" of the {settings.stored / 1e6:,.0f} that are allowed"
    if strangers:
        said += f"; {strangers:,} {'visitor has' if strangers == 1 else 'visitors have'} chats"
        said += f", the one who keeps most {most / 1e6:,.1f} MB"
    if settings.stored and size >= settings.stored:
        return failed(
            "room",
            f"{said}: nobody but you can ask.",
            "Raise CHAT_MAX_STORED_MB, or lower CHAT_VISITOR_CHATS_EXPIRE_DAYS.",
            **figures,
        )
    if settings.stored and size >= NEARLY * settings.stored:
        return warning(
            "room",
            f"{said}: soon nobody but you can ask.",
            "Raise CHAT_MAX_STORED_MB, or lower CHAT_VISITOR_CHATS_EXPIRE_DAYS.",
            **figures,
        )
    if not settings.alone and not (settings.stored and settings.stored_each):
        unset = "CHAT_MAX_STORED_MB" if settings.stored_each else "CHAT_MAX_STORED_MB_PER_VISITOR"
        return warning("room", f"{said}, and a visitor may fill the disk.", f"Set {unset}.", **figures)
    return ok("room", said, **figures)


def disk(settings: Settings) -> Outcome:
    path = settings.database if settings.database != MEMORY else Path()
    folder = next(each for each in path.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    said, figures = f"{free / 1e9:.1f} GB are free on the disk of {folder}", {"free_mb": free // 1_000_000}
    if free < FULL:
        return failed("disk", f"{said}: soon nothing can be saved.", "Make room.", **figures)
    if free < settings.free:
        return warning("disk", f"{said}: visitors' questions are refused.", "Make room.", **figures)
    if free < SHORT:
        return warning("disk", f"{said}.", "Make room before it is full.", **figures)
    return ok("disk", said, **figures)


def secret(settings: Settings) -> Outcome:
    """What signs the cookies: whoever has it can be anybody."""
    if settings.secret is not None:
        return ok("secret", "CHAT_SECRET signs the cookies")
    if settings.space or settings.database == MEMORY:
        return warning(
            "secret",
            "The secret that signs the cookies is made anew at each start: every browser is a stranger then.",
            "Set CHAT_SECRET (on a Space among its secrets).",
        )
    path = settings.database.with_suffix(".secret")
    if path.exists() and others_read(path):
        return failed(
            "secret",
            f"{path} may be read by other users of this machine, who could be anybody here.",
            f"chmod 600 {path}",
        )
    return ok("secret", f"{path} signs the cookies, and nobody else reads it")


async def port(settings: Settings) -> Outcome:
    if settings.port == 0:
        return ok("port", f"Any that is free at {settings.host}")
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((settings.host, settings.port))
        except socket.gaierror:
            return failed(
                "port", f"This machine has no address {settings.host}.", "Look at GRADIO_SERVER_NAME."
            )
        except OSError as error:
            reason = error.strerror
        else:
            return ok("port", f"{where} is free")
    if await _ours(settings):
        return ok("port", f"{where} is Runnel's: it is running")
    if not settings.port_chosen:
        return ok("port", f"{where} cannot be had ({reason}): the next free one will be taken")
    return failed(
        "port",
        f"{where} cannot be had ({reason}).",
        "End what uses it, or set GRADIO_SERVER_PORT to another one.",
    )


async def _ours(settings: Settings) -> bool:
    from chat.cli.doctor import probe

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    name = f"[{host}]" if ":" in host else host
    return await probe.is_runnel(f"http://{name}:{settings.port}")


def others_read(path: Path) -> bool:
    """Windows has no such bits: there a file belongs to whom its folder belongs to."""
    return sys.platform != "win32" and bool(path.stat().st_mode & 0o077)


def _git(*arguments: str) -> int | None:
    """Its exit code; None without git."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=False).returncode
    except OSError:
        return None
