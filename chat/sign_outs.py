"""Which sign-ins are over before their time: one that was signed out, or all of somebody's up to a moment.

`chat.owners` asks about the operator's browsers and `chat.logins` about people; both keep nothing but signed
cookies, so what was ended has to be remembered. It is kept in memory and handed to `save`, which `chat.build`
takes from the store: a sign-out survives a restart.
"""

import time
from collections.abc import Callable, Iterable

MAX_SIGN_IN_AGE_S = 180 * 24 * 3600.0
"""A sign-in ends after this time however often it is used, so a stolen cookie ends some day too."""

MAX_SINGLE_PER_PERSON = 200
"""Sign-outs of one person that are remembered one by one. Past that all their sign-ins are ended."""

Row = tuple[str, str, float, float]
"""The id of a sign-in, or "" for all; whose; when it was ended, and until when that is remembered.

Both times are seconds since the epoch."""


def _forget(row: Row) -> None:
    """For a `SignOuts` that lasts no longer than the program."""


class SignOuts:
    """`rows`: what was saved before. `clock` in seconds since the epoch."""

    def __init__(
        self,
        rows: Iterable[Row] = (),
        save: Callable[[Row], None] = _forget,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._save, self._clock = save, clock
        self._single: dict[str, dict[str, float]] = {}
        """By person, then by sign-in: until when it is remembered."""
        self._all: dict[str, float] = {}
        """By person: when all their sign-ins were ended."""
        for row in rows:
            self._take(row)

    def is_over(self, whose: str, sign_in: str, began: float) -> bool:
        """Whether `sign_in`, which `whose` made when it `began` (seconds since the epoch), does not count."""
        if self._clock() - began >= MAX_SIGN_IN_AGE_S or began < self._all.get(whose, 0.0):
            return True
        return sign_in in self._single.get(whose, {})

    def end(self, whose: str, sign_in: str) -> None:
        """Signs one sign-in out."""
        now = self._clock()
        mine = self._single.get(whose, {})
        if len(mine) >= MAX_SINGLE_PER_PERSON:
            mine = self._single[whose] = {id: until for id, until in mine.items() if until > now}
        if len(mine) >= MAX_SINGLE_PER_PERSON:
            self.end_all(whose)
        else:
            self._keep((sign_in, whose, now, now + MAX_SIGN_IN_AGE_S))

    def end_all(self, whose: str) -> None:
        """Signs out every sign-in that `whose` has made until now."""
        now = self._clock()
        self._keep(("", whose, now, now + MAX_SIGN_IN_AGE_S))

    def _keep(self, row: Row) -> None:
        self._take(row)
        self._save(row)

    def _take(self, row: Row) -> None:
        sign_in, whose, at, until = row
        if sign_in:
            self._single.setdefault(whose, {})[sign_in] = until
        else:
            self._all[whose] = max(at, self._all.get(whose, 0.0))
            self._single.pop(whose, None)  # all that it held began before
