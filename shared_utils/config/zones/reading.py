"""What has to hold between the keys of a task ``read``, and its zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared_utils.config.zones.model import Point, ReadTask

MIN_TURN = 1e-9
"""Least cross product of two sides in shares of the picture: below it, three corners lie on a line."""
MAX_REPEATED = 10_000
"""Least length of what a pattern matches, in characters: to compile one of a million takes seconds and 300 MB."""

_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{([0-9]+)(?:,[0-9]*)?\}|.", re.DOTALL)
"""Parts of a pattern: an escape, a class, a count of repeats, another character."""


def read_problem(task: ReadTask, points: Sequence[Point]) -> str | None:
    """Return what is wrong with a task and the corners of its zone, as one line after the task's name; None if nothing.

    Args:
        task: the task.
        points: of the zone.
    """
    return next(_problems(task, points), None)


def _problems(task: ReadTask, points: Sequence[Point]) -> Iterator[str]:
    if len(points) != 4:
        yield f"needs four points, the corners of the text, not {len(points)}"
    elif not _is_convex(points):
        yield "needs four corners that can be made a rectangle: none of them may point inwards"
    if _least_length(task.pattern or "") > MAX_REPEATED:
        yield f"pattern is {task.pattern!r}, which repeats more than {MAX_REPEATED} characters: give smaller counts"
    try:
        re.compile(task.pattern or "")
    except (re.error, OverflowError, RecursionError) as error:
        yield f"pattern is {task.pattern!r}, which is no regular expression: {error}"
    if any(not old for old, _ in task.replace):
        yield "replace has an empty text to be replaced: leave the pair out"
    number = task.number
    if number is not None and number.min is not None and number.max is not None and number.min > number.max:
        yield f"number.min is {number.min:g}, and number.max is {number.max:g}: no number is between them"
    counter = task.counter
    start = counter.start if counter is not None else None
    if start is not None and number is not None and number.max is not None and start > number.max:
        yield f"counter.start is {start:g}, and number.max is {number.max:g}: it could never be read"


def _least_length(pattern: str) -> int:
    """Return how many characters a pattern has when its counts of repeats are written out."""
    groups = [[0, 0]]  # of each group that is open: its length, and that of its last part
    for part in _PARTS.finditer(pattern):
        group, text, count = groups[-1], part.group(), part.group(1)
        if count is not None:
            length = group[1] * max(1, int(count))
            groups[-1] = [group[0] - group[1] + length, length]
        elif text == "(":
            groups.append([0, 0])
        else:
            length = 1
            if text == ")" and len(groups) > 1:
                length += groups.pop()[0]
            groups[-1] = [groups[-1][0] + length, length]
    return sum(length for length, _ in groups)


def _is_convex(points: Sequence[Point]) -> bool:
    corners = [*points, *points[:2]]
    turns = [
        (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
        for (ax, ay), (bx, by), (cx, cy) in zip(corners, corners[1:], corners[2:], strict=False)
    ]
    return all(turn > MIN_TURN for turn in turns) or all(turn < -MIN_TURN for turn in turns)
