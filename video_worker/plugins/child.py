"""The process of one module of people's own: loads its file, calls its function for each picture, and names its errors.

It is run by its path, with Python's isolated mode, and imports nothing of ours: what the module does, it does here.
Requests come by a connection, as JSON, followed by the picture's bytes and the mask's; answers are JSON. The process
ends with the worker: when standard input does, which the worker holds open, or by the kernel's signal where a module
lets no other thread run.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FUNCTION = "read"
MAX_TEXT = 1000
"""Characters of a value."""
MAX_ERROR = 300
"""Characters of an error."""
NICENESS = 5
"""On top of the worker's."""
FIRST_TO_BE_KILLED = b"1000"
"""For the kernel, where memory is short: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html"""
PR_SET_PDEATHSIG = 1
EXPIRED = 70
"""Exit code of a process that ended itself since the module took too long."""


@dataclass(frozen=True)
class PluginZone:
    """What a module is told of the zone that it looks at.

    Attributes:
        name: of the zone.
        camera: name of the camera; None where none is known.
        settings: of the task, as they are in the file of zones.
        time_s: time of the frame, seconds from the first one of the clip or camera.
        mask: height×width uint8, 255 where the zone is and 0 elsewhere; None where all of the picture is the zone.
    """

    name: str
    camera: str | None
    settings: Mapping[str, Any]
    time_s: float
    mask: NDArray[np.uint8] | None = field(default=None, repr=False)


class Wrong(Exception):  # as all errors of ours
    """The module is not what it has to be; the text says what is wrong. `line` is in its file."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


class OneAtATime:
    """Sends one answer per request: that of the module, or that it took too long.

    Args:
        channel: takes the answers.
        path: the module's file.
    """

    def __init__(self, channel: Connection, path: Path) -> None:
        self._channel = channel
        self._path = str(path)
        self._lock = threading.Lock()
        self._main = threading.get_ident()

    def within(self, seconds: float, work: Callable[[], Mapping[str, Any]]) -> None:
        """Send what `work` returns, or what it raises; end the process where it takes longer than `seconds`."""
        done = threading.Event()
        timer = threading.Timer(seconds, self._expire, (done, seconds))
        timer.daemon = True
        timer.start()
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001  # whatever it raises is the module's: SystemExit as well
            answer = error_of(error, self._path)
        with self._lock:
            done.set()
            self._send(answer)
        timer.cancel()

    def _expire(self, done: threading.Event, seconds: float) -> None:
        with self._lock:
            if done.is_set():
                return
            line = line_in(sys._current_frames().get(self._main), self._path)  # documented, for this
            self._send({"error": f"it takes more than {seconds:g} s, and was ended", "type": "Expired", "line": line})
            sys.stderr.flush()
            os._exit(EXPIRED)

    def _send(self, answer: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the worker is gone, and so will be this process
            # half of a character, as in texts that were decoded with surrogateescape, can be written nowhere
            self._channel.send_bytes(json.dumps(answer, ensure_ascii=False).encode(errors="replace"))


def line_in(frame: FrameType | None, path: str) -> int | None:
    """Return the innermost line of a file that a frame is called by; None where the file is not among its callers."""
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return None


def error_of(error: BaseException, path: str) -> dict[str, Any]:
    """Return an error as an answer: its text, its type, and the line of the module's file that it comes from."""
    if isinstance(error, Wrong):
        return {"error": str(error), "type": "Wrong", "line": error.line}
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == path else None
    if line is None:
        line = _line_of(error.__traceback__, path)
    text = " ".join(traceback.format_exception_only(error)[-1].split())
    return {"error": text[:MAX_ERROR], "type": type(error).__name__, "line": line}


def _line_of(trace: TracebackType | None, path: str) -> int | None:
    found = None
    for frame, line in traceback.walk_tb(trace):
        if frame.f_code.co_filename == path:
            found = line
    return found


def load(path: Path) -> Callable[[NDArray[np.uint8], PluginZone], Any]:
    """Return the function of a module's file.

    Raises:
        Wrong: it has none.
        BaseException: whatever the module raises.
    """
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    elsewhere = [folder for folder in sys.path if folder != str(path.parent)]
    if PathFinder.find_spec(path.stem, elsewhere) is None:  # else a library imports it, and means its own
        sys.modules.setdefault(path.stem, module)
    # compiled here: a file in __pycache__ may be that of another text of the same second
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        raise Wrong(f"it has no function {FUNCTION}(picture, zone)")
    return function  # type: ignore[no-any-return]  # callable, as was asked


def checked(found: Any, line: int | None) -> dict[str, Any]:
    """Return what a module returned as an answer.

    Raises:
        Wrong: it is no value with its confidence.
    """
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise Wrong(
            f"{FUNCTION}() returned {_display(found)}: return a value and its confidence, as in '12.4', 0.9", line
        )
    value, confidence = (one.item() if isinstance(one, np.generic) else one for one in found)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise Wrong(f"{FUNCTION}() returned the confidence {_display(confidence)}: return a number from 0 to 1", line)
    answer: dict[str, Any] = {"value": None, "number": None, "confidence": float(confidence)}
    if isinstance(value, bool):
        answer["value"] = "on" if value else "off"
    elif isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise Wrong(f"{FUNCTION}() returned the value {value}: return None where there is none", line)
        answer |= {"value": str(value)[:MAX_TEXT], "number": float(value)}
    elif isinstance(value, str):
        answer["value"] = value[:MAX_TEXT]
    elif value is not None:
        raise Wrong(f"{FUNCTION}() returned the value {_display(value)}: return text, a number, a bool or None", line)
    return answer


def _display(found: Any) -> str:
    return f"{type(found).__name__} {found!r}"[:80]


def serve(channel: Connection, path: Path, start_s: float, call_s: float) -> None:
    """Load a module, and answer requests until the connection ends."""
    answers = OneAtATime(channel, path)
    functions: list[Callable[[NDArray[np.uint8], PluginZone], Any]] = []

    def begin() -> Mapping[str, Any]:
        functions.append(load(path))
        return {"ready": True}

    answers.within(start_s, begin)
    if not functions:
        return
    [function] = functions
    code = getattr(function, "__code__", None)
    first_line = code.co_firstlineno if code is not None and code.co_filename == str(path) else None
    while True:
        try:
            request = json.loads(channel.recv_bytes())
            shape = request.pop("shape")
            # a copy, which the module may write to
            picture = np.frombuffer(bytearray(channel.recv_bytes()), np.uint8).reshape(shape)
            mask = None
            if request.pop("masked"):
                mask = np.frombuffer(bytearray(channel.recv_bytes()), np.uint8).reshape(shape[:2])
        except (EOFError, OSError):
            return
        zone = PluginZone(**request, mask=mask)
        answers.within(call_s, lambda: checked(function(picture, zone), first_line))  # noqa: B023  # called at once


def _end_with_the_worker(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os._exit(0)


def _killed_with_the_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends: https://man7.org/linux/man-pages/man2/prctl.2.html

    That thread asks this module alone, and lives as long as anybody may ask.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run the module that the command line names: its file, the connection, and seconds for its start and a call."""
    path, channel, start_s, call_s = Path(sys.argv[1]), Connection(int(sys.argv[2])), *map(float, sys.argv[3:5])
    lifeline = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what the module prints is no output of the worker's, which may be records
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), errors="replace", write_through=True)
    threading.Thread(target=_end_with_the_worker, args=(lifeline,), daemon=True).start()
    _killed_with_the_parent()
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(FIRST_TO_BE_KILLED)
    sys.argv = [str(path)]
    sys.path.append(str(path.parent))  # for what several modules share
    serve(channel, path, start_s, call_s)
    os._exit(0)  # whatever threads and exit functions the module has


if __name__ == "__main__":
    main()
