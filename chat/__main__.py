"""`python -m chat`: the terminal."""

import sys

from chat.standard import open_streams

if __name__ == "__main__":
    open_streams()
    from chat.cli import main

    sys.exit(main())
