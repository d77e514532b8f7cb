import gc

from chat import garbage


def test_what_is_alive_is_walked_over_no_more() -> None:
    before = gc.get_freeze_count()
    kept = [[n] for n in range(5_000)]
    try:
        garbage.settle()
        assert gc.get_freeze_count() - before >= len(kept)
        assert len(gc.get_objects()) < 1_000
    finally:
        gc.unfreeze()
