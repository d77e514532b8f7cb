"""The standard streams of the process, where whoever started it closed some: `2>&-`, a service, `pythonw`.

Called first of all, by app.py and `python -m chat`. The next file that is opened would have the number of a
stream that is closed, a database for instance, and what a library writes to stderr would go there.
"""

import os
import sys


def open_streams() -> None:
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # has the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
