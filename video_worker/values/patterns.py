"""Patterns of people's own, matched in bounded time. The adapter of regex, which takes Python's and can be stopped.

Python's own ``re`` cannot: ``(\\d+)+x`` takes hours to find that forty digits do not match, and holds up all threads.
"""

from __future__ import annotations

import regex

TIMEOUT_S = 0.2
"""Longest time for one text. Most take some microseconds."""
VALUE_GROUP = "value"
"""Name of the group that is the value, where a pattern has one."""


class Pattern:
    """A pattern that a text must match as a whole.

    Args:
        text: a regular expression, which Python's ``re`` takes as well.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, text: str) -> None:
        try:
            self._compiled = regex.compile(text)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{text!r} is no regular expression: {error}") from None

    def value(self, text: str) -> str | None:
        """Return what a text says: its group ``value``, or else all of it; None where it does not match.

        A text that takes too long does not match, nor does one whose group ``value`` is blank.
        """
        try:
            match = self._compiled.fullmatch(text, timeout=TIMEOUT_S)
        except TimeoutError:
            return None
        if match is None:
            return None
        found: str | None = match.groupdict().get(VALUE_GROUP)
        return match.group() if found is None else found.strip() or None
