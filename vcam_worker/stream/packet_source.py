"""The interface of an open source of packets, whatever its protocol."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from shared_utils.closing import Closing
from vcam_worker.stream.info import StreamInfo
from vcam_worker.stream.packets import Packet


@dataclass(frozen=True)
class Played:
    """A segment of HLS that was played.

    Attributes:
        number: its media sequence number.
        name: its URI, without the query.
        published: when it was, monotonic seconds.
    """

    number: int
    name: str
    published: float


@dataclass
class Trail:
    """What the connections to one URL hand on to the next one.

    Attributes:
        log: takes what a connection has to say while it lasts.
        played: where the connection before ended: for HLS, the segment that was played last.
    """

    log: logging.LoggerAdapter[logging.Logger]
    played: Played | None = None


class PacketSource(Closing):
    """An open stream of packets, and a context manager that closes it.

    Attributes:
        info: what it delivers.
    """

    info: StreamInfo

    @property
    @abstractmethod
    def at_rest(self) -> bool:
        """No further packet is waiting: a good moment to process those received."""

    @abstractmethod
    def packets(self) -> Iterator[Packet]:
        """Yield packets as they arrive.

        Raises:
            SourceEnded: the stream is over.
            SourceStalled: no frame came for :attr:`vcam_worker.stream.source_errors.Timeouts.stall_s`.
            SourceError: the connection broke, or what it delivers cannot be used.
        """
