"""A short-lived cache of pictures, so that a thousand requests cost one encode.

It lives on one event loop, so it needs no lock: requests for a picture that is being made wait for that one (single
flight). New pictures are rate-limited per camera, so that neither ``?refresh=1`` nor ever new sizes can take CPU away
from recording.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vcam_worker.runtime.status import Snapshot

K = TypeVar("K", bound=Hashable)

KEEP_S = 2.0
"""Age up to which a picture is reused. Less than the page's refresh interval of 2.5 s, so that each shows a new one."""
STALE_S = 5.0
"""Age up to which a picture is served when no new one may be made."""
MAX_ENTRIES = 64
MAX_BYTES = 16 * 2**20
"""Memory for pictures: over twenty at 1080p and quality 80."""
BURST_PICTURES = 8
"""New pictures of one camera at once: a few viewers with different sizes."""
PER_SECOND = 4.0
"""New pictures of one camera per second in the long run: some 5 % of a core at 1080p."""


class TooManyPictures(Exception):
    """There is no recent picture, and the rate limit allows no new one."""


@dataclass(frozen=True)
class CacheState:
    """Counts of the cache.

    Attributes:
        entries, size: cached pictures, and their bytes.
        hits: requests answered without a new picture.
        made: pictures requested of cameras.
        age: of the oldest picture, seconds; None without one.
    """

    entries: int
    size: int
    hits: int
    made: int
    age: float | None


@dataclass(frozen=True)
class _Entry:
    snapshot: Snapshot | None
    since: float

    @property
    def size(self) -> int:
        return len(self.snapshot.jpeg) if self.snapshot else 0


@dataclass
class _Allowance:
    """A token bucket."""

    tokens: float
    at: float

    def take(self, now: float) -> bool:
        self.tokens = min(BURST_PICTURES, self.tokens + (now - self.at) * PER_SECOND)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class PictureCache(Generic[K]):
    """Pictures by camera and request.

    Args:
        make: makes the picture of a camera; None without one, which is cached as well.
        clock: seconds of any origin.
    """

    def __init__(self, make: Callable[[str, K], Awaitable[Snapshot | None]], clock: Callable[[], float]) -> None:
        self._make = make
        self._clock = clock
        self._entries: OrderedDict[tuple[str, K], _Entry] = OrderedDict()
        self._pending: dict[tuple[str, K], asyncio.Task[Snapshot | None]] = {}
        self._allowances: dict[str, _Allowance] = {}
        self._hits = 0
        self._made = 0

    async def get(self, camera: str, request: K, refresh: bool = False) -> Snapshot | None:
        """Return the picture, at most :data:`STALE_S` old.

        Args:
            camera: the name of an existing camera: its rate limit is never dropped.
            request: which picture.
            refresh: request a new one, as far as the rate limit allows.

        Raises:
            TooManyPictures: the rate limit does not allow one.
        """
        key = (camera, request)
        now = self._clock()
        entry = self._entries.get(key)
        age = now - entry.since if entry else STALE_S
        if entry and age < KEEP_S and not refresh:
            self._hits += 1
            return entry.snapshot
        pending = self._pending.get(key)
        if pending:
            self._hits += 1
        elif self._allowances.setdefault(camera, _Allowance(BURST_PICTURES, now)).take(now):
            pending = self._pending[key] = asyncio.create_task(self._make_entry(key))
            pending.add_done_callback(lambda _: self._pending.pop(key, None))
        elif entry and age < STALE_S:
            self._hits += 1
            return entry.snapshot
        else:
            raise TooManyPictures
        try:
            return await asyncio.shield(pending)  # a client that disconnects does not cancel it for others
        except asyncio.CancelledError:
            if pending.cancelled():  # by cancel_pending()
                return None
            raise

    async def _make_entry(self, key: tuple[str, K]) -> Snapshot | None:
        self._made += 1
        snapshot = await self._make(*key)
        self._entries[key] = _Entry(snapshot, self._clock())
        self._entries.move_to_end(key)
        self._trim()
        return snapshot

    def _trim(self) -> None:
        """Drop stale entries, then the oldest until the rest is within bounds. Entries are ordered by age."""
        now = self._clock()
        size = sum(entry.size for entry in self._entries.values())
        while self._entries:
            oldest = next(iter(self._entries.values()))
            full = len(self._entries) > MAX_ENTRIES or size > MAX_BYTES
            if now - oldest.since < STALE_S and not full:
                return
            self._entries.popitem(last=False)
            size -= oldest.size

    def clear(self) -> int:
        """Drop all pictures; return their number."""
        self._trim()
        count = len(self._entries)
        self._entries.clear()
        return count

    def cancel_pending(self) -> None:
        """Cancel pending pictures, which then count as missing."""
        for pending in list(self._pending.values()):
            pending.cancel()

    def state(self) -> CacheState:
        """Return the counts."""
        self._trim()
        entries = self._entries.values()
        return CacheState(
            entries=len(entries),
            size=sum(entry.size for entry in entries),
            hits=self._hits,
            made=self._made,
            age=max((self._clock() - entry.since for entry in entries), default=None),
        )
