"""Answers that other threads wait for, by the number of their question."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Answers(Generic[T]):
    """Hands each answer to the thread that waits for its number. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._expected: set[int] = set()
        self._answers: dict[int, T | None] = {}
        self._arrived = threading.Condition()

    @contextmanager
    def expect(self) -> Iterator[int]:
        """Give a number for a question; an answer to it is kept until the context is left, and dropped after that."""
        number = next(self._numbers)
        with self._arrived:
            self._expected.add(number)
        try:
            yield number
        finally:
            with self._arrived:
                self._expected.discard(number)
                self._answers.pop(number, None)

    def put(self, number: int, answer: T | None) -> None:
        """Take an answer; one that nobody expects is dropped."""
        with self._arrived:
            if number in self._expected:
                self._answers[number] = answer
                self._arrived.notify_all()

    def wait_for(self, number: int, timeout_s: float) -> T | None:
        """Return the answer to an expected question; None where it does not come in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers, timeout_s)
            return self._answers.pop(number, None)
