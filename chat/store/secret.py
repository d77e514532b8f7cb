"""The secret that signs the cookies: made once, in a file beside the database that only we can read.

Two processes that start at once agree: the file appears whole or not at all, and who comes second
reads what the first one wrote. Called by `open_store`; what the secret signs is `chat.owners`'s business.
"""

import contextlib
import os
import secrets
from pathlib import Path

LENGTH = 32
"""Bytes, written as twice as many hexadecimal digits."""


def secret(path: Path) -> bytes:
    """The secret in `path`, made if need be. Where nothing can be written it lasts as long as the program.

    A file that holds something else is left alone, and one beside it taken: it may be another program's,
    or the database itself, when that is called so.
    """
    fresh = secrets.token_bytes(LENGTH)
    with contextlib.suppress(OSError):
        for place in (path, path.with_name(f"runnel-{path.name}")):
            if not place.exists():
                _make(place, fresh)
            if (found := _read(place)) is not None:
                return found
    return fresh


def _read(path: Path) -> bytes | None:
    """None: something else is in the file."""
    if os.name != "nt" and path.stat().st_mode & 0o077:
        path.chmod(0o600)  # who reads it can sign as anybody
    try:
        found = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        return None
    return found if len(found) == LENGTH else None


def _make(path: Path, fresh: bytes) -> None:
    """Leaves a file of somebody who was faster alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(fresh.hex())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
