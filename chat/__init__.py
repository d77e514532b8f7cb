"""Runnel: one line from the provider's wire to the reader's eye.

    values      messages · models · events · errors · unicode · settings
    the wire    sse → providers/<protocol>          the only places that know a vendor's format
    the turn    deadlines → attempts → engine       tools/, catalogue, menu and context (what fits) beside it
    the run     run · runs (begin, find, stop) · slots (how many at once) · limits (how many in a while)
    the answer  transcript (folds events) → pacing (times frames)
    what stays  conversations → store/ (keeps them) · export/ (as files)
    who asks    owners (whose it is) · logins (who may) · wallet (with whose keys)
    the faces   ui/ · api/ · cli/   each only reads runs; `build.open_app` composes, `server` serves them

README.md draws the same line; tests/test_imports.py holds who may import whom.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever has an older one sees a sentence, not a SyntaxError)
    sys.exit("Runnel needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")
