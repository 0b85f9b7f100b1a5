"""Who watches: the pages that display a live view, and how far each of them has come. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SILENT_S = 10.0
"""A page that reports nothing for so long is gone: its tab was closed, or its connection is lost. It reports every
2 s."""
LAG_S = 2.5
"""Longest that pictures may be on their way. A page reports once per second what it has drawn, and not with each
picture: every message of a page makes JupyterLab show the kernel as busy for a moment."""
QUIET_S = 3.0
"""No page waits for another one that has reported nothing for so long, such as one that was loaded anew."""
LOST_S = 15.0
"""Pictures that were not drawn for so long are lost, as with a connection that was made anew."""
MAX_PAGES = 16
"""Pages that are distinguished; more are not waited for."""
_MAX_COMING = 256
"""Pictures whose times are known: more than come in `LAG_S`."""


@dataclass
class _Page:
    heard_at: float
    drawn: int


class Pages:
    """The pages that display a view, by the names that they gave themselves.

    Args:
        clock: seconds of any origin.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pages: dict[str, _Page] = {}
        self._last = 0
        self._coming: deque[tuple[int, float]] = deque(maxlen=_MAX_COMING)
        self._probing = False

    def __bool__(self) -> bool:
        """Whether somebody watches."""
        return bool(self._pages)

    def heard(self, name: str, *, drawn: int | None = None) -> None:
        """Note that a page watches, and the number of the last picture that it has drawn."""
        page = self._pages.get(name)
        if page is None:
            if len(self._pages) >= MAX_PAGES:
                return
            page = self._pages[name] = _Page(0.0, self._last)
        page.heard_at = self._clock()
        if drawn is not None:
            page.drawn = max(page.drawn, min(drawn, self._last))

    def left(self, name: str) -> None:
        """Note that a page does not watch any more: it was closed, or nobody sees it."""
        self._pages.pop(name, None)

    def forget_silent(self) -> None:
        """Forget pages that have reported nothing for `SILENT_S`."""
        oldest = self._clock() - SILENT_S
        for name in [name for name, page in self._pages.items() if page.heard_at < oldest]:
            del self._pages[name]

    def ready(self) -> bool:
        """Return whether a page watches, and no page is so far behind that the next picture would wait in a buffer."""
        now = self._clock()
        behind = min((page.drawn for page in self._pages.values() if now - page.heard_at <= QUIET_S), default=None)
        if behind is None:
            return False
        since = next((at for number, at in self._coming if number > behind), None)
        if since is None:
            self._probing = False
            return True
        if now - since > LOST_S:
            # one picture at a time, until one arrives: the connection may as well be that slow
            self._coming.clear()
            self._probing = True
            return True
        return not self._probing and now - since <= LAG_S

    def sent(self) -> int:
        """Note that a picture is sent to all pages; return its number."""
        self._last += 1
        self._coming.append((self._last, self._clock()))
        return self._last
