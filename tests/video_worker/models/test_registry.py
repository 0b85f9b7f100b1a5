"""Which models stay in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from video_worker.engines.base import EngineChoice
from video_worker.models.registry import ModelRegistry, ModelTask, memory_mb

SIZE_BYTES = 1_000_000


class Model:
    def __init__(self, path, choice):
        self.path = path
        self.threads = choice.threads

    def use_threads(self, threads):
        self.threads = threads


@pytest.fixture
def loaded() -> list[str]:
    """Files in the order in which they were loaded."""
    return []


@pytest.fixture
def task(loaded):
    def load(path, choice):
        loaded.append(path.name)
        return Model(path, choice)

    return ModelTask("length", load)


@pytest.fixture
def registry(tmp_path):
    for name in ("own", "a", "b", "c"):
        (tmp_path / name).write_bytes(bytes(SIZE_BYTES))
    return ModelRegistry([tmp_path], EngineChoice(), tmp_path / "own", budget_mb=3.5 * memory_mb(SIZE_BYTES))


def test_the_models_used_longest_ago_go_first(registry, task, loaded):
    for name in ("a", "b", "c", "b", "a", "own", "a", "b", "own"):  # own: c goes for it
        registry.get(task, name)
    assert loaded == ["a", "b", "c", "own"]
    registry.get(task, "c")  # a goes for it
    registry.get(task, "b")
    assert loaded == ["a", "b", "c", "own", "c"]
    registry.get(task, "a")
    assert loaded == ["a", "b", "c", "own", "c", "a"]


def test_the_workers_own_model_stays(registry, task, loaded):
    for name in ("own", "a", "b", "c", "a", "b", "c", "own"):
        registry.get(task, name)
    assert loaded.count("own") == 1


def test_a_model_in_use_is_never_loaded_twice(registry, task, loaded):
    held = registry.get(task, "a")
    for name in ("b", "c", "own", "b", "c"):
        registry.get(task, name)
    assert registry.get(task, "a") is held
    assert loaded.count("a") == 1


def test_a_model_larger_than_the_budget_is_loaded_and_the_others_go(tmp_path, registry, task, loaded):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200_000_000)
    for name in ("own", "a", "large", "own", "a"):
        registry.get(task, name)
    assert loaded == ["own", "a", "large", "a"]


def test_the_same_file_for_another_task_is_another_model(registry, task):
    other = ModelTask("width", Model)
    assert registry.get(task, "a") is not registry.get(other, "a")


def test_a_replaced_file_takes_the_place_of_the_one_before(tmp_path, registry, task, loaded):
    for name in ("own", "a", "b"):
        registry.get(task, name)
    (tmp_path / "new").write_bytes(bytes(SIZE_BYTES + 1))
    (tmp_path / "new").replace(tmp_path / "own")
    for name in ("own", "a", "b"):
        registry.get(task, name)
    assert loaded == ["own", "a", "b", "own"]


def test_no_other_model_goes_for_a_replaced_file(tmp_path, registry, task, loaded):
    for name in ("a", "b", "c"):
        registry.get(task, name)
    (tmp_path / "new").write_bytes(bytes(SIZE_BYTES + 1))
    (tmp_path / "new").replace(tmp_path / "c")
    for name in ("c", "a", "b"):
        registry.get(task, name)
    assert loaded == ["a", "b", "c", "c"]


def test_threads_that_want_a_model_at_once_get_the_same_one(registry, loaded):
    two = threading.Barrier(2)

    def load(path, choice):
        loaded.append(path.name)
        with suppress(threading.BrokenBarrierError):
            two.wait(0.2)  # for another thread that loads as well
        return Model(path, choice)

    slow = ModelTask("slow", load)
    with ThreadPoolExecutor(3) as pool:
        first, *more = pool.map(lambda _: registry.get(slow, "a"), range(3))
    assert all(model is first for model in more)
    assert loaded == ["a"]


def test_all_models_compute_with_the_threads_that_were_set_last(registry, task):
    model = registry.get(task, "a")
    registry.use_threads(3)
    assert (model.threads, registry.get(task, "b").threads) == (3, 3)
