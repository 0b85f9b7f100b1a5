"""The modules of people's own in the folder of ``PLUGINS_DIR``: found by name, and loaded anew when a file changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_utils.closing import Closing
from shared_utils.errors import PluginFailed
from shared_utils.media.picture import Picture
from video_worker.pipeline.work_pool import WorkPool
from video_worker.plugins.process import Limits, PluginProcess, PluginValue

SUFFIX = ".py"
REST_S = 60.0
"""Time after which a module is started again that could not be loaded, hung, or ended its process, where its file does
not change: it would take a core, or a thread of those who read, all the time."""

Sign = frozenset[tuple[str, int, int, int]]
"""Tells one state of the folder's files from the next: modules may import each other."""


@dataclass
class _Module:
    """A module.

    Attributes:
        pool: the thread that asks it.
        lock: of whoever asks it.
        sign: of the folder when it was started.
        process: while it runs.
        failure: why it does not.
        rests_until: time until which it is not started again.
        texts: what was said of each place and kind of error first, so that each is reported once.
    """

    pool: WorkPool
    lock: threading.Lock = field(default_factory=threading.Lock)
    sign: Sign | None = None
    process: PluginProcess | None = None
    failure: PluginFailed | None = None
    rests_until: float = 0.0
    texts: dict[tuple[str, str], str] = field(default_factory=dict)


class Plugins(Closing):
    """The modules of a folder. Any thread may ask them; each answers one at a time.

    Args:
        folder: where they are; it need not exist.
        limits: how long a module may take.
        clock: monotonic seconds.
    """

    def __init__(self, folder: Path, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._clock = clock
        self._lock = threading.Lock()
        self._modules: dict[str, _Module] = {}

    def ask(self, name: str, picture: Picture, mask: NDArray[np.uint8] | None, zone: Mapping[str, Any]) -> PluginValue:
        """Return what a module makes of a picture; see :meth:`video_worker.plugins.process.PluginProcess.ask`.

        Raises:
            PluginFailed: there is no such module, or it failed: one line with its file and the line in it. Of errors
                of one kind in one line, it is the text of the first.
        """
        module = self._module(name)
        with module.lock:
            try:
                return self._process(name, module).ask(picture, mask, zone)
            except PluginFailed as error:
                if module.process is not None and not module.process.is_usable:
                    self._rest(module, error)
                place = str(error).partition(": ")[0]
                text = module.texts.setdefault((place, error.kind), str(error))
                raise PluginFailed(text, error.kind) from None

    def pool(self, name: str) -> WorkPool:
        """Return a thread for asking a module. Each has its own: one that hangs lets nobody else wait."""
        return self._module(name).pool

    def _module(self, name: str) -> _Module:
        with self._lock:
            if name not in self._modules:
                self._modules[name] = _Module(WorkPool(1, f"module-{name}"))
            return self._modules[name]

    def _process(self, name: str, module: _Module) -> PluginProcess:
        sign = self._sign()
        if sign != module.sign:
            self._end(module)
            module.sign, module.failure, module.texts = sign, None, {}
        if module.process is not None:
            return module.process
        if module.failure is not None and self._clock() < module.rests_until:
            raise module.failure
        try:
            module.process = PluginProcess(self._path(name), self._limits)
        except PluginFailed as error:
            self._rest(module, error)
            raise
        return module.process

    def _rest(self, module: _Module, failure: PluginFailed) -> None:
        self._end(module)
        module.failure, module.rests_until = failure, self._clock() + REST_S

    def _path(self, name: str) -> Path:
        path = self._folder / f"{name}{SUFFIX}"
        try:
            is_there = path.is_file()
        except OSError as error:
            raise PluginFailed(f"{path} cannot be read: {error.strerror}", "Missing") from None
        if not is_there:
            known = sorted(one.stem for one in self._folder.glob(f"*{SUFFIX}") if one.is_file())
            near = get_close_matches(name, known, 1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise PluginFailed(f"there is no module {name!r}{meant}: {path} is not there", "Missing")
        if path.resolve().parent != self._folder.resolve():
            raise PluginFailed(f"{path.name}: it is a link out of {self._folder}: put the file itself there", "Missing")
        return path.absolute()

    def _sign(self) -> Sign:
        found = set()
        with suppress(OSError):  # a folder that nobody may list
            for path in self._folder.glob(f"*{SUFFIX}"):
                with suppress(OSError):  # one that goes just now, or an editor's lock, which is a link to nothing
                    stat = path.stat()
                    found.add((path.name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return frozenset(found)

    @staticmethod
    def _end(module: _Module) -> None:
        process, module.process = module.process, None
        if process is not None:
            process.close()

    def close(self) -> None:
        """End all processes. One that is asked just now is ended with the program."""
        with self._lock:
            modules = list(self._modules.values())
        for module in modules:
            module.pool.close()
            if module.lock.acquire(blocking=False):
                try:
                    self._end(module)
                finally:
                    module.lock.release()
