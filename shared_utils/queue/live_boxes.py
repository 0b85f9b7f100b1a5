"""Boxes of live frames for viewers, on Redis streams: best effort, gone within a minute.

Each camera has a stream of its own, :func:`boxes_key`, with about :data:`KEPT` entries of one field, :data:`FIELD`::

    {"schema": 1, "at": 1771850911.12, "boxes": [{"label": "person", "track": 3, "score": 0.91,
                                                  "box": [0.1, 0.2, 0.3, 0.9]}]}

``at`` is the time of the frame, seconds since the epoch; corners are shares of the picture's width and height. A frame
without boxes has an entry too. Nobody's work depends on these entries, so nothing is logged where one is lost.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import redis

from shared_utils.closing import Closing
from shared_utils.config.redis import RedisSettings
from shared_utils.contracts.json_lines import parse_object
from shared_utils.queue.connection import connect, redis_errors

SCHEMA = 1
FIELD = "boxes"
KEPT = 20
"""Entries kept per camera: four seconds at 5 frames per second."""
EXPIRE_S = 60
"""Seconds after the last frame when a camera's stream is removed."""
MAX_ENTRY_BYTES = 262_144
RETRY_S = 2.0
"""Wait after a failure; meanwhile boxes are dropped."""
BLOCK_S = 2.0
"""Longest time that one request waits: shorter than the connection's timeout."""
BOX_DIGITS, SCORE_DIGITS = 4, 3


@dataclass(frozen=True)
class LiveBox:
    """A box in a live frame.

    Attributes:
        label: what the model calls it.
        track: number of its track.
        score: 0..1.
        box: corners x1, y1, x2, y2 as shares of the picture's width and height.
    """

    label: str
    track: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class LiveBoxes:
    """The boxes of one frame: `at` is its time, seconds since the epoch."""

    at: float
    boxes: tuple[LiveBox, ...]


def boxes_key(camera: str) -> str:
    """Return the key of a camera's stream."""
    return f"vcam:boxes:{camera}"


def to_json(found: LiveBoxes) -> str:
    """Return the boxes of a frame as an entry holds them."""
    boxes = [
        {
            "label": one.label,
            "track": one.track,
            "score": round(one.score, SCORE_DIGITS),
            "box": [round(value, BOX_DIGITS) for value in one.box],
        }
        for one in found.boxes
    ]
    return json.dumps({"schema": SCHEMA, "at": round(found.at, 3), "boxes": boxes}, ensure_ascii=False)


def from_json(content: bytes) -> LiveBoxes | None:
    """Return the boxes that an entry holds; None for something else, or a later schema."""
    entry = parse_object(content) if len(content) <= MAX_ENTRY_BYTES else None
    if entry is None or entry.get("schema") != SCHEMA or not _is_number(entry.get("at")):
        return None
    boxes = entry.get("boxes")
    if not isinstance(boxes, list):
        return None
    found = [_box(one) for one in boxes]
    return LiveBoxes(float(entry["at"]), tuple(one for one in found if one is not None))


def _box(entry: object) -> LiveBox | None:
    if not isinstance(entry, Mapping):
        return None
    label, track, score, box = (entry.get(key) for key in ("label", "track", "score", "box"))
    if not isinstance(label, str) or not isinstance(track, int) or not _is_number(score):
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        return None
    x1, y1, x2, y2 = (float(value) for value in box)
    return LiveBox(label, track, float(score or 0), (x1, y1, x2, y2))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class BoxesPublisher(Closing):
    """Publishes boxes from a thread of its own. The newest frame of each camera waits, none other.

    Args:
        settings: where Redis is.
        make_connection: returns a client, without connecting.
    """

    def __init__(
        self, settings: RedisSettings, make_connection: Callable[[RedisSettings], redis.Redis] = connect
    ) -> None:
        self._connection = make_connection(settings)
        self._waiting: dict[str, LiveBoxes] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="boxes", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def publish(self, camera: str, boxes: LiveBoxes) -> None:
        """Publish the boxes of a frame. Never blocks; any thread may call it."""
        with self._changed:
            self._waiting[camera] = boxes
            self._changed.notify()

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        with closing(self._connection):
            while (found := self._next()) is not None:
                try:
                    self._send(found)
                except redis.RedisError:
                    self._pause()

    def _next(self) -> Mapping[str, LiveBoxes] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            found, self._waiting = self._waiting, {}
            return None if self._stopped else found

    def _send(self, found: Mapping[str, LiveBoxes]) -> None:
        with self._connection.pipeline(transaction=False) as pipeline:
            for camera, boxes in found.items():
                pipeline.xadd(boxes_key(camera), {FIELD: to_json(boxes)}, maxlen=KEPT, approximate=True)
                pipeline.expire(boxes_key(camera), EXPIRE_S)
            # one foreign value under a camera's key concerns that camera alone
            for answer in pipeline.execute(raise_on_error=False):
                if isinstance(answer, redis.ConnectionError | redis.TimeoutError):
                    raise answer

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, RETRY_S)


class BoxesReader(Closing):
    """Reads the boxes of one camera from now on, for one thread.

    Args:
        settings: where Redis is.
        camera: name of the camera.
        make_connection: returns a client, without connecting.
    """

    def __init__(
        self,
        settings: RedisSettings,
        camera: str,
        make_connection: Callable[[RedisSettings], redis.Redis] = connect,
    ) -> None:
        self._settings = settings
        self._key = boxes_key(camera)
        self._connection: Any = make_connection(settings)
        self._last: bytes | None = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, timeout_s: float) -> Sequence[LiveBoxes]:
        """Return the boxes of frames since the last call, oldest first; none where none came in time.

        Args:
            timeout_s: longest wait, seconds, at most :data:`BLOCK_S`; 0 returns what is there.

        Raises:
            QueueUnavailable: Redis is away; the next call connects again.
            SettingError: Redis does not take the password.
        """
        wait_ms = int(min(timeout_s, BLOCK_S) * 1000)
        with redis_errors(self._settings):
            if self._last is None:
                newest = self._connection.xrevrange(self._key, count=1)
                self._last = newest[0][0] if newest else b"0"
            # BLOCK 0 would wait for ever
            answer = self._connection.xread({self._key: self._last}, block=wait_ms or None)
            if not answer and not self._connection.exists(self._key):
                # it expired; ids of a new one come from the clock of Redis, which may have been set back
                self._last = b"0"
        entries = [entry for _, found in answer or () for entry in found]
        if entries:
            self._last = entries[-1][0]
        found = [from_json((fields or {}).get(FIELD.encode(), b"")) for _, fields in entries]
        return [one for one in found if one is not None]
