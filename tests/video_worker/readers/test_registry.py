"""Engines are loaded when they are asked for, once; one that is missing says how to add it."""

from __future__ import annotations

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shared_utils.errors import ReaderMissing
from video_worker.readers.base import RawReading
from video_worker.readers.registry import ENGINES, EngineEntry, ReaderRegistry
from video_worker.readers.settings import ReaderSettings

PICTURE = np.zeros((8, 8, 3), np.uint8)


class Reader:
    name = "own"

    def read(self, picture, mode="line"):
        return RawReading("7", 1.0)


def test_rapidocr_is_there_and_loaded_once():
    readers = ReaderRegistry(ReaderSettings())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: readers.get("rapidocr"), range(4)))
    assert found[0].name == "rapidocr"
    assert all(one is found[0] for one in found)


def test_the_default_of_a_task_is_an_engine():
    from shared_utils.config.zones.model import ReadTask

    assert ReadTask().engine == next(iter(ENGINES))


@pytest.mark.parametrize(("name", "meant"), [("rapidcor", "rapidocr? "), ("abc", " "), ("", " ")])
def test_an_unknown_engine_is_answered_with_those_that_there_are(name, meant):
    with pytest.raises(ReaderMissing, match="Use one of rapidocr, ") as caught:
        ReaderRegistry(ReaderSettings()).get(name)
    assert repr(name) in str(caught.value)
    assert meant in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_library_that_is_not_installed_is_tried_once_and_said_with_its_remedy():
    tried = []

    def open_it(settings):
        tried.append(settings)
        importlib.import_module("no_such_library_of_ours")

    readers = ReaderRegistry(ReaderSettings(), {"own": EngineEntry(open_it, "build it in")})
    for _ in range(3):
        with pytest.raises(ReaderMissing, match=r"^the engine own is not installed: build it in$"):
            readers.get("own")
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImportError("libGL.so.1: cannot open shared object file\nmore"), "libGL.so.1: cannot open shared object file"),
        (RuntimeError("operator torchvision::nms does not exist"), "operator torchvision::nms does not exist"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_library_that_cannot_be_loaded_says_why(error, reason):
    def open_it(settings):
        raise error

    readers = ReaderRegistry(ReaderSettings(), {"own": EngineEntry(open_it, "build it in")})
    with pytest.raises(ReaderMissing) as caught:
        readers.get("own")
    assert str(caught.value) == f"the engine own cannot be loaded ({reason}): build it in"


def test_one_engine_that_loads_for_long_does_not_hold_up_the_others():
    go_on = threading.Event()

    def slow(settings):
        go_on.wait(30)
        return Reader()

    engines = {"slow": EngineEntry(slow, ""), "own": EngineEntry(lambda settings: Reader(), "")}
    readers = ReaderRegistry(ReaderSettings(), engines)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(readers.get, "slow")
        assert readers.get("own").read(PICTURE).text == "7"
        assert not waiting.done()
        go_on.set()
        assert waiting.result().name == "own"
