"""What a live view needs of the kernel: which cell runs, when it is interrupted, and messages of pages meanwhile.

The adapter of ipykernel.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import FrameType
from typing import Any

from IPython import get_ipython

REARM_S = 0.2
"""Wait for the cell in work to end: until then ipykernel has a handler of its own in place."""


@dataclass(frozen=True)
class Execution:
    """One run of a cell.

    Attributes:
        cell: the cell's id, where the page tells it (JupyterLab does); empty elsewhere.
        run: id of the request that runs it.
    """

    cell: str = ""
    run: str = ""


def current_execution() -> Execution:
    """Return the run of the cell that calls this; an empty one outside of a kernel."""
    parent = _parent()
    return Execution(
        str(parent.get("metadata", {}).get("cellId") or ""), str(parent.get("header", {}).get("msg_id", ""))
    )


def _parent() -> dict[str, Any]:
    shell = get_ipython()
    found = shell.get_parent() if hasattr(shell, "get_parent") else None
    return found if isinstance(found, dict) else {}


class ReplyRoute:
    """Has pages' messages handled while a cell runs: by the subshell that JupyterLab makes for messages of widgets.

    ipykernel hands a page's message to the subshell whose message led to the last one that the widget sent
    (``BaseComm._reply_subshell_for`` of ipykernel 7.4); what a thread sends belongs to any message that came lately,
    such as the one that runs a cell, and then pages would wait for that cell.
    """

    def __init__(self) -> None:
        self._context = copy_context()

    def heard(self) -> None:
        """Remember the way of a page's message that is being handled."""
        if _parent().get("header", {}).get("subshell_id"):
            self._context = copy_context()

    def context(self) -> Context:
        """Return the context to send in, for one call."""
        return self._context.copy()


class Interrupts:
    """Calls back when the kernel is interrupted, whether a cell is in work or not.

    Without it, an idle kernel ignores interrupts: ipykernel leaves ``SIGINT`` ignored between cells.

    Args:
        stop: called in the main thread.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """Listen from now on; call it in a cell. Outside of a kernel it does nothing: Ctrl+C works there."""
        shell = get_ipython()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if shell is None or self._loop is loop:
            return
        self._loop = loop
        shell.events.register("post_run_cell", self._after_cell)
        self._arm()

    def _after_cell(self, result: Any) -> None:
        if isinstance(result.error_in_exec, KeyboardInterrupt):
            self._stop()

    def _arm(self) -> None:
        """Handle interrupts of the idle kernel; later, if a cell is in work."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupted)
        elif self._loop is not None:
            self._loop.call_later(REARM_S, self._arm)

    def _interrupted(self, _: int, __: FrameType | None) -> None:
        # the handler runs between any two instructions: the work is left to the event loop
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop)
