"""Where the limits' numbers are kept: in memory, of the keys used last. A storage for the `limits` library.

Its own (`limits.storage.MemoryStorage`, 5.8.0) keeps the key of every address that ever asked, and looks
through all of them in a thread of its own at every question. This one forgets what has run out when it is
full, and then the keys that were longest not used. Made by `chat.limits` alone.
"""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable

from limits.storage import Storage
from limits.storage.base import MovingWindowSupport

KEPT = 100_000
"""Keys. One stranger has four, or five on the first day; all together are some 50 MB."""


class _Window:
    """`until` is when nothing of it holds any more. Of a moving window `times` are those of the hits, the
    oldest first; of a fixed one `count` is how many there were."""

    __slots__ = ("count", "times", "until")

    def __init__(self, until: float, times: "array[float] | None" = None) -> None:
        self.until, self.times, self.count = until, times, 0


class Counts(Storage, MovingWindowSupport):
    """`clock` in seconds; all times of the storage are its."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float], most: int = KEPT) -> None:
        super().__init__()
        self._clock, self._most = clock, most
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    # -- fixed windows: from the first hit on ---------------------------------------------------------

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        window = self._find(key) or self._keep(key, _Window(self._clock() + expiry))
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        window = self._find(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        window = self._find(key)
        return self._clock() if window is None else window.until

    # -- moving windows -------------------------------------------------------------------------------

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now, window = self._clock(), self._find(key)
        times = array("d") if window is None or window.times is None else window.times
        del times[: bisect_right(times, now - expiry)]
        if len(times) + amount > limit:
            return False
        times.extend([now] * amount)
        if window is None:
            window = self._keep(key, _Window(0, times))
        window.until = now + expiry
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now, window = self._clock(), self._find(key)
        if window is None or window.times is None:
            return now, 0
        gone = bisect_right(window.times, now - expiry)
        return (window.times[gone] if gone < len(window.times) else now), len(window.times) - gone

    # -- all of it ------------------------------------------------------------------------------------

    @property
    def base_exceptions(self) -> type[Exception]:
        return MemoryError

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        number = len(self._windows)
        self._windows.clear()
        return number

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _find(self, key: str) -> _Window | None:
        """What holds of `key`, which is now the one used last."""
        if (window := self._windows.get(key)) is None:
            return None
        if window.until <= self._clock():
            del self._windows[key]
            return None
        self._windows.move_to_end(key)
        return window

    def _keep(self, key: str, window: _Window) -> _Window:
        if len(self._windows) >= self._most:
            now = self._clock()
            for old in [name for name, each in self._windows.items() if each.until <= now]:
                del self._windows[old]
            # Room for many, so that looking through all of them is rare.
            while len(self._windows) > self._most * 9 // 10:
                self._windows.popitem(last=False)
        self._windows[key] = window
        return window
