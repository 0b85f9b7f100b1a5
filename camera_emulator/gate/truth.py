"""What zones should count in the scene of the gate: entries, exits, stays and crossings, with their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from camera_emulator.gate.ground import LABELS, LINES, LOITER_S, POLYGONS, line_at
from camera_emulator.gate.programme import Passage, Programme, meetings, stays_in
from camera_emulator.gate.scene import GateScene

SCHEMA = 1
TIME_DIGITS = 3
DIRECTIONS = {1: "right", -1: "left"}
"""Lines are drawn from the bottom of the picture to its top: what moves to the right crosses to the right."""


@dataclass(frozen=True)
class GateEvent:
    """Something that a zone should report.

    Attributes:
        t: when, seconds from the beginning.
        until: the last moment that it may be: who stands on an edge comes in when arriving, or when going on.
        zone: the zone.
        value: ``entered``, ``left``, ``loitering`` or ``crossed``.
        label: ``person`` or ``car``.
        passage: its number.
        direction: of a crossing.
    """

    t: float
    until: float
    zone: str
    value: str
    label: str
    passage: int
    direction: str | None = None


@dataclass(frozen=True)
class GateStay:
    """A stay in a polygon; `left_s` is None where it goes on at the end."""

    zone: str
    label: str
    passage: int
    entered_s: float
    left_s: float | None
    dwell_s: float


def passages_until(programme: Programme, end_s: float) -> Iterator[Passage]:
    """Yield the passages that begin before `end_s`, in the order of visits."""
    index = 0
    while True:
        visit = programme.visit(index)
        yield from (one for one in visit if one.start_s < end_s)
        if min(one.start_s for one in visit) >= end_s:
            return
        index += 1


def events_of(passages: Iterable[Passage], end_s: float = float("inf")) -> list[GateEvent]:
    """Return what happens before `end_s`, in the order of time."""
    found: list[GateEvent] = []
    for one in passages:
        found += _crossings(one)
        for name in POLYGONS:
            if one.kind not in LABELS[name]:
                continue
            for begin_s, began_s, leaves_s, left_s in stays_in(name, one.points, one.ground):
                found.append(_event(begin_s, began_s, name, "entered", one))
                found.append(_event(leaves_s, left_s, name, "left", one))
                if leaves_s - began_s > LOITER_S:
                    found.append(_event(begin_s + LOITER_S, began_s + LOITER_S, name, "loitering", one))
    return sorted((one for one in found if one.t < end_s), key=lambda event: (event.t, event.passage))


def stays_of(passages: Iterable[Passage], end_s: float = float("inf")) -> list[GateStay]:
    """Return the stays that begin before `end_s`."""
    found = []
    for one in passages:
        for name in POLYGONS:
            for begin_s, _, _, left_s in stays_in(name, one.points, one.ground):
                if one.kind in LABELS[name] and begin_s < end_s:
                    last_s = min(left_s, end_s)
                    times = [round(value, TIME_DIGITS) for value in (begin_s, last_s, last_s - begin_s)]
                    left = times[1] if left_s < end_s else None
                    found.append(GateStay(name, one.kind, one.number, times[0], left, times[2]))
    return found


def truth_of(scene: GateScene, seconds: float) -> dict[str, Any]:
    """Return the truth about so many seconds from the scene's beginning, ready for JSON.

    ``passages`` has who comes and which way each one takes, ``events`` what zones should report of them, and ``stays``
    how long each one is in a zone.
    """
    passages = list(passages_until(scene.programme, seconds))
    return {
        "schema": SCHEMA,
        "scene": "gate",
        "seed": scene.seed,
        "size": list(scene.size),
        "fps": scene.fps,
        "seconds": seconds,
        "passages": [
            {
                "number": one.number, "label": one.kind, "way": one.way,
                "from": round(one.start_s, TIME_DIGITS), "to": round(one.end_s, TIME_DIGITS),
            }
            for one in passages
        ],
        "events": [asdict(event) for event in events_of(passages, seconds)],
        "stays": [asdict(stay) for stay in stays_of(passages, seconds)],
    }  # fmt: skip


def _crossings(one: Passage) -> Iterator[GateEvent]:
    for name in LINES:
        x = line_at(name, one.ground)
        if x is None or one.kind not in LABELS[name]:
            continue
        for met_s, left_s, side in meetings(one.points, x):
            yield _event(met_s, left_s, name, "crossed", one, DIRECTIONS[side])


def _event(t: float, until: float, zone: str, value: str, one: Passage, direction: str | None = None) -> GateEvent:
    return GateEvent(round(t, TIME_DIGITS), round(until, TIME_DIGITS), zone, value, one.kind, one.number, direction)
