"""`python -m chat hash-password`: reads a password and prints what stands for it in CHAT_USERS."""

import getpass
import sys

from chat.cli import streams
from chat.passwords import hash_password

MIN_PASSWORD_CHARS = 8


def run() -> bool:
    """Whether a hash was printed. On a terminal the password is asked for twice and not shown."""
    if sys.stdin is not None and sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("The same again: ") != password:
            streams.complain("These are two different passwords. Nothing was hashed; try again.")
            return False
    else:
        password = streams.piped().rstrip("\r\n")
    password = password.strip()  # as CHAT_USERS and its people's browsers have it
    if len(password) < MIN_PASSWORD_CHARS:
        streams.complain(f"A password has {MIN_PASSWORD_CHARS} characters or more.")
        return False
    sys.stdout.write(f"{hash_password(password)}\n")
    return True
