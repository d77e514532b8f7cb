"""The folder of Gradio's own files. The page serves none and takes none, and still it is nobody else's.

Left alone, Gradio reads and serves what is in `$TMPDIR/gradio`, which on a shared machine anybody can make
first, or link to somebody's home. `page.mount` asks, before it makes the page.
"""

import atexit
import contextlib
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

NAME = "gradio"
UNUSABLE = Path(os.devnull) / NAME
"""No folder, and nobody can make one of it."""


def private_folder(database: Path) -> Path:
    """A folder that is ours alone: beside `database`, a new one in the temporary folder where that cannot be
    had, and `UNUSABLE` where that cannot either."""
    if str(database) != ":memory:":
        with contextlib.suppress(OSError):
            folder = database.absolute().parent / NAME
            if _is_ours(folder):
                return folder
    try:
        return _fresh()
    except OSError:
        return UNUSABLE


def _is_ours(folder: Path) -> bool:
    """Makes it if it is not there. False when it is a link, another's, or not to be written to. Raises
    `OSError`."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        return False
    folder.chmod(0o700)
    return os.access(folder, os.W_OK | os.X_OK)


@cache
def _fresh() -> Path:
    """One of this process. Raises `OSError`."""
    folder = Path(tempfile.mkdtemp(prefix="runnel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
