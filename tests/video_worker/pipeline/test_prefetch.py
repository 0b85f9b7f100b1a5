import threading

import pytest

from video_worker.pipeline.prefetch import prefetch


def test_items_come_in_order():
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))
    assert list(prefetch([], 3)) == []


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise KeyError("x")

    got: list[int] = []
    with pytest.raises(KeyError):
        got.extend(prefetch(items(), 2))
    assert got == [1]


def test_work_goes_on_while_results_are_used():
    second_made = threading.Event()

    def items():
        yield 1
        second_made.set()
        yield 2

    stream = prefetch(items(), 1)
    assert next(stream) == 1
    assert second_made.wait(10)
    assert list(stream) == [2]


def test_no_thread_is_left_when_the_consumer_goes_early():
    made = []

    def items():
        for number in range(1_000_000):
            made.append(number)
            yield number

    stream = prefetch(items(), 2)
    assert next(stream) == 0
    stream.close()
    assert len(made) < 10
    assert not [thread for thread in threading.enumerate() if thread.name == "decode"]
