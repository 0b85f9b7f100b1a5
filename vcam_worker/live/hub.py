"""The HTTP server's side of live subscriptions: one per camera and wish, shared by all clients that want the same.

It lives on the HTTP server's event loop. Only :meth:`Hub.attach` and :meth:`Hub.remove` may be called from other
threads; the supervisor calls them.

A route holds a feed for as long as its client is there::

    with hub.subscribed(camera, ("frames", width, quality), lambda: FrameFeed(width, quality)) as feed:
        ...

The first client of a feed subscribes, the last one's leaving unsubscribes, a moment later (:data:`LINGER_S`), so that
clients that come and go cost the camera nothing. When a camera's process is started again, its subscriptions are made
again, and each feed is told (:meth:`Feed.restarted`). When the camera is gone for good, feeds end
(:meth:`Feed.ended`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

from vcam_worker.live.channel import ENDED, read_messages
from vcam_worker.live.commands import LiveCommand, Subscribe, Unsubscribe, Wanted

LINGER_S = 2.0
"""Time that a subscription outlives its last client: a page that is loaded again finds it."""
RETRY_S = 1.0
"""Delay after a command that the camera's process did not take."""

_log = logging.getLogger(__name__)


class Feed(Protocol):
    """What the clients of one subscription share. Called on the event loop only, and must not wait for anything."""

    def wanted(self) -> Wanted:
        """Return what its clients want now; see :meth:`Hub.changed`."""

    def message(self, kind: int, payload: bytes) -> None:
        """Take a message of the camera, as the kind of subscription defines."""

    def restarted(self) -> None:
        """The subscription begins anew: the camera's process was started again, or was too far behind."""

    def ended(self) -> None:
        """There will be nothing more: the camera was removed from the settings, or capture stops."""


F = TypeVar("F", bound=Feed)
Offer = Callable[[LiveCommand], bool]


@dataclass
class _Subscription:
    camera: str
    key: Hashable
    number: int
    feed: Feed
    clients: int = 0
    sent: Wanted | None = None  # what the camera's process has been asked for
    linger: asyncio.TimerHandle | None = None


@dataclass
class _Camera:
    offer: Offer = lambda _: False  # the default of a field
    channel: asyncio.Task[None] | None = None
    subscriptions: dict[Hashable, _Subscription] = field(default_factory=dict)
    retry: asyncio.TimerHandle | None = None


class Hub:
    """All live subscriptions of all cameras."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._cameras: dict[str, _Camera] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: dict[str, tuple[socket.socket, Offer]] = {}  # attached before the loop ran
        self._starting = threading.Lock()

    # -- from the supervisor's thread

    def attach(self, camera: str, channel: socket.socket, offer: Offer) -> None:
        """Take the data channel of a camera's process that was just started.

        Args:
            camera: its name.
            channel: our end.
            offer: hands a command to the process without waiting; False where it is not taken now.
        """
        with self._starting:
            if self._loop is None:
                self._drop_early(camera)
                self._early[camera] = channel, offer
                return
        self._on_loop(lambda: self._attach(camera, channel, offer), channel)

    def remove(self, camera: str) -> None:
        """End the feeds of a camera that is gone for good."""
        with self._starting:
            self._drop_early(camera)
        self._on_loop(lambda: self._remove(camera))

    def _drop_early(self, camera: str) -> None:
        early = self._early.pop(camera, None)
        if early:
            early[0].close()

    def _on_loop(self, call: Callable[[], None], channel: socket.socket | None = None) -> None:
        if self._loop:
            try:
                self._loop.call_soon_threadsafe(call)
            except RuntimeError:  # the loop has just closed: nobody is served any more
                if channel:
                    channel.close()

    # -- on the event loop

    def start(self) -> None:
        """Begin; to be called on the event loop."""
        with self._starting:
            self._loop = asyncio.get_running_loop()
            early, self._early = self._early, {}
        for camera, (channel, offer) in early.items():
            self._attach(camera, channel, offer)

    def stop(self) -> None:
        """End all feeds, and close the channels, so that cameras stop working for them."""
        for name in list(self._cameras):
            self._remove(name)

    @contextmanager
    def subscribed(self, camera: str, key: Hashable, new: Callable[[], F]) -> Iterator[F]:
        """Hold a subscription while the context is entered.

        Args:
            camera: the name of an existing one.
            key: what it is about: clients with equal keys share it.
            new: makes the feed for the first of them.

        Yields:
            The feed. Whoever changes what it :meth:`~Feed.wanted` must call :meth:`changed`.
        """
        one = self._cameras.setdefault(camera, _Camera())
        found = one.subscriptions.get(key)
        if found is None:
            found = _Subscription(camera, key, next(self._numbers), new())
            one.subscriptions[key] = found
        if found.linger:
            found.linger.cancel()
            found.linger = None
        found.clients += 1
        try:
            yield cast(F, found.feed)
        finally:
            found.clients -= 1
            if not found.clients and one.subscriptions.get(key) is found:
                found.linger = asyncio.get_running_loop().call_later(LINGER_S, self._unsubscribe, found)

    def clients(self) -> dict[str, dict[str, int]]:
        """Return how many clients each camera has, by kind: the key, or its first part."""
        found: dict[str, dict[str, int]] = {}
        for name, one in self._cameras.items():
            counts = found.setdefault(name, {})
            for key, subscription in one.subscriptions.items():
                kind = str(key[0] if isinstance(key, tuple) else key)
                counts[kind] = counts.get(kind, 0) + subscription.clients
        return found

    def has_room(self, camera: str, key: Hashable, kind: type[Feed], most: int) -> bool:
        """Tell whether a camera has a subscription for `key`, or fewer than `most` of a kind of feed, with those
        that linger."""
        one = self._cameras.get(camera)
        if one is None or key in one.subscriptions:
            return True
        return sum(isinstance(subscription.feed, kind) for subscription in one.subscriptions.values()) < most

    def changed(self, camera: str) -> None:
        """Have a camera send what its feeds want now."""
        one = self._cameras.get(camera)
        if one is None or one.channel is None:
            return
        for subscription in one.subscriptions.values():
            wanted = subscription.feed.wanted()
            if wanted == subscription.sent:
                continue
            if not one.offer(Subscribe(subscription.number, wanted)):
                self._retry(camera, one)
                return
            subscription.sent = wanted

    def _retry(self, camera: str, one: _Camera) -> None:
        if one.retry is None:
            one.retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again, camera, one)

    def _try_again(self, camera: str, one: _Camera) -> None:
        one.retry = None
        if self._cameras.get(camera) is one:
            self.changed(camera)

    def _unsubscribe(self, subscription: _Subscription) -> None:
        one = self._cameras[subscription.camera]
        del one.subscriptions[subscription.key]
        # where it is not taken, the next message of this number repeats it
        one.offer(Unsubscribe(subscription.number))

    def _attach(self, camera: str, channel: socket.socket, offer: Offer) -> None:
        one = self._cameras.setdefault(camera, _Camera())
        if one.channel:
            one.channel.cancel()
        one.offer = offer
        one.channel = asyncio.create_task(self._read(camera, one, channel))
        for subscription in one.subscriptions.values():
            if subscription.sent is not None:
                subscription.sent = None
                subscription.feed.restarted()
        self.changed(camera)

    async def _read(self, camera: str, one: _Camera, channel: socket.socket) -> None:
        """Deliver a channel's messages until the camera's process has ended."""
        async for message in read_messages(channel):
            found = next((sub for sub in one.subscriptions.values() if sub.number == message.number), None)
            if found is None:
                one.offer(Unsubscribe(message.number))
            elif message.kind == ENDED:
                _log.debug("%s: subscription %d was too far behind", camera, message.number)
                found.sent = None
                found.feed.restarted()
                self._retry(camera, one)
            else:
                found.feed.message(message.kind, message.payload)
        if one.channel is asyncio.current_task():
            one.channel = None

    def _remove(self, camera: str) -> None:
        one = self._cameras.pop(camera, None)
        if one is None:
            return
        for timer in (one.retry, *(sub.linger for sub in one.subscriptions.values())):
            if timer:
                timer.cancel()
        if one.channel:
            one.channel.cancel()
        ended, one.subscriptions = one.subscriptions, {}
        for subscription in ended.values():
            subscription.feed.ended()
