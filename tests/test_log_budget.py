"""No visitor fills a disk with lines of the log."""

from io import StringIO

from chat.log_budget import BURST_BYTES, BYTES_A_SECOND, Bounded


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_much_at_once_is_written_and_little_for_ever() -> None:
    out, clock = StringIO(), Clock()
    log = Bounded(out, clock)
    line = "x" * 999 + "\n"
    for _ in range(2 * BURST_BYTES // 1000):
        log.write(line)
    assert len(out.getvalue()) == BURST_BYTES
    hours = 10
    for _ in range(hours * 3600):
        clock.now += 1
        for _ in range(10):
            log.write(line)
    assert len(out.getvalue()) < 1.01 * (BURST_BYTES + hours * 3600 * BYTES_A_SECOND)
    assert "bytes of the log were left out" in out.getvalue()


def test_what_is_usual_is_whole() -> None:
    out, clock = StringIO(), Clock()
    log = Bounded(out, clock)
    for _ in range(100_000):
        clock.now += 1
        log.write("x" * 300 + "\n")
    assert out.getvalue().count("\n") == 100_000
    log.flush()
