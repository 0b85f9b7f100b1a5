"""A module of people's own in its process: started, asked, and ended where it hangs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_utils.closing import Closing
from shared_utils.errors import PluginFailed
from shared_utils.media.picture import Picture
from video_worker.plugins import child

START_S = 30.0
"""Time to load a module: one that imports torch takes 10."""
CALL_S = 10.0
"""Time of one call."""
MARGIN_S = 2.0
"""The process ends itself, and knows in which line; after this time more, it is killed."""
MAX_ANSWER_BYTES = 64 * 1024
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that a module sees: the others hold passwords."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class PluginValue:
    """What a module made of a picture.

    Attributes:
        value: as text; None where there is none.
        number: the value, where it was given as a number.
        confidence: 0..1.
    """

    value: str | None
    number: float | None
    confidence: float


@dataclass(frozen=True)
class Limits:
    """Seconds that a module may take to be loaded, and for one call."""

    start_s: float = START_S
    call_s: float = CALL_S


def _started(path: Path, channel: int, limits: Limits) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-B", child.__file__, str(path), str(channel)]
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return subprocess.Popen(
        [*command, str(limits.start_s), str(limits.call_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=(channel,),
        start_new_session=True,
        env={**env, **ONE_THREAD},
    )


class PluginProcess(Closing):
    """One module in a process. One thread at a time uses it.

    Args:
        path: the module's file.
        limits: how long it may take.

    Raises:
        PluginFailed: it cannot be loaded.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self.is_usable = True
        self._channel, theirs = Pipe()
        with theirs:
            try:
                self._process = _started(path, theirs.fileno(), limits)
            except OSError as error:
                self._channel.close()
                raise PluginFailed(f"{path.name}: no process can be started: {error.strerror}", "Ended") from None
        try:
            with self._killed_after(limits.start_s + MARGIN_S):
                self._answer()
        except BaseException:
            self.close()
            raise

    def ask(self, picture: Picture, mask: NDArray[np.uint8] | None, zone: Mapping[str, Any]) -> PluginValue:
        """Return what the module makes of a picture.

        Args:
            picture: height×width×3.
            mask: height×width; None for none.
            zone: the other attributes of :class:`video_worker.plugins.child.PluginZone`.

        Raises:
            PluginFailed: it raised something, returned no value, took too long or ended its process.
        """
        request = {**zone, "shape": picture.shape, "masked": mask is not None}
        with self._killed_after(self._limits.call_s + MARGIN_S):
            try:
                self._channel.send_bytes(json.dumps(request).encode())
                self._channel.send_bytes(picture.tobytes())
                if mask is not None:
                    self._channel.send_bytes(mask.tobytes())
            except OSError:
                raise self._ended() from None
            answer = self._answer()
        value, number = answer["value"], answer["number"]
        return PluginValue(
            None if value is None else str(value),
            None if number is None else float(number),
            float(answer["confidence"]),
        )

    def _answer(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self._channel.recv_bytes(MAX_ANSWER_BYTES))
        except (EOFError, OSError):
            raise self._ended() from None
        if not isinstance(found, dict):
            raise self._ended()
        if "error" in found:
            self.is_usable = found.get("type") != "Expired"
            raise PluginFailed(self._describe(found["error"], found.get("line")), str(found.get("type")))
        return found

    def _ended(self) -> PluginFailed:
        """Return that the process has ended, and how."""
        self.is_usable = False
        self._kill()
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            how += ": it took too long, or the memory was short"
        return PluginFailed(self._describe(f"its process has ended ({how})", None), "Ended")

    def _describe(self, problem: object, line: object) -> str:
        place = self._path.name if line is None else f"{self._path.name}, line {line}"
        return f"{place}: {problem}"

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Any:
        timer = threading.Timer(seconds, self._kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _kill(self) -> None:
        """Kill the process, and those that it has started."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process."""
        self.is_usable = False
        self._kill()
        self._channel.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
