"""Proof that answers cannot be lost: whole processes, killed, starved and loaded.

`pytest -m slow -s` tells the figures.

    served    app.py in a process of its own
    visitor   a browser's requests, without the browser
    talker    a small process over `open_app` that asks what it is told to, and can be killed
    test_*    what must hold

Every process is started here and ended by its id; all load goes to loopback.
"""
