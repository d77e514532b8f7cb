"""The demo model: a vendor that needs no key and no network, and says that it is a script.

    questions what is read out of a question    words   how things are worded
    scripts   the answers, as steps         tools   those that need one    endings   those that end badly
    going_on  the rest of an answer that was cut off
    player    the steps as a vendor's stream, at a human pace
    texts/    the longer answers, as Markdown

The same talk gives the same events. `build` makes a `Demo`; `EXAMPLES` lead through it.
"""

from chat.providers.demo.player import Demo
from chat.providers.demo.words import EXAMPLES, Example

__all__ = ["EXAMPLES", "Demo", "Example"]
