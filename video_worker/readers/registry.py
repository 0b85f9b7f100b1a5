"""Engines that read text, by name: each is loaded when it is asked for first, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from shared_utils.errors import ReaderMissing
from video_worker.readers.base import TextReader
from video_worker.readers.settings import ReaderSettings

MAX_REASON = 200
"""Characters of a library's own words."""


@dataclass(frozen=True)
class EngineEntry:
    """How an engine is opened.

    Attributes:
        open: returns it, ready to read; raises ReaderMissing, or whatever its library raises.
        remedy: how its library is added.
    """

    open: Callable[[ReaderSettings], TextReader]
    remedy: str


class ReaderRegistry:
    """The engines of a program. Threads may share it: one that wants an engine waits while another loads the same.

    Args:
        settings: of the engines.
        engines: what there is, by name.
    """

    def __init__(self, settings: ReaderSettings, engines: Mapping[str, EngineEntry] | None = None) -> None:
        self._settings = settings
        self._engines = ENGINES if engines is None else engines
        self._locks = {name: threading.Lock() for name in self._engines}
        self._opened: dict[str, TextReader] = {}
        self._missing: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all engines, whether they are installed or not."""
        return tuple(self._engines)

    def get(self, name: str) -> TextReader:
        """Return an engine.

        Raises:
            ReaderMissing: there is none of that name, it is not installed or not set up; one line says how to add it.
                A program that runs on does not find one that was added meanwhile: a new image starts a new program.
        """
        if name not in self._engines:
            near = get_close_matches(name, self._engines, 1)
            meant = f"; {near[0]}?" if near else "."
            raise ReaderMissing(f"there is no engine {name!r}{meant} Use one of {', '.join(self._engines)}")
        with self._locks[name]:
            if name not in self._opened and name not in self._missing:
                self._open(name)
            if name in self._missing:
                raise ReaderMissing(self._missing[name])
            return self._opened[name]

    def _open(self, name: str) -> None:
        engine = self._engines[name]
        try:
            self._opened[name] = engine.open(self._settings)
        except ReaderMissing as error:
            self._missing[name] = str(error)
        except ModuleNotFoundError:
            self._missing[name] = f"the engine {name} is not installed: {engine.remedy}"
        except Exception as error:  # noqa: BLE001  # a foreign library may raise anything; the other engines go on
            # such as RuntimeError, where torch and torchvision are of different builds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:MAX_REASON]
            self._missing[name] = f"the engine {name} cannot be loaded ({reason}): {engine.remedy}"


def _rapidocr(settings: ReaderSettings) -> TextReader:
    del settings
    # each engine is imported when it is asked for: its libraries cost memory and start-up time, or are not there
    from video_worker.readers.rapidocr import RapidOcrReader

    return RapidOcrReader()


def _seven_segment(settings: ReaderSettings) -> TextReader:
    del settings
    from video_worker.readers.seven_segment.reader import SevenSegmentReader

    return SevenSegmentReader()


def _tesseract(settings: ReaderSettings) -> TextReader:
    del settings
    from video_worker.readers.tesseract import TesseractReader

    return TesseractReader()


def _easyocr(settings: ReaderSettings) -> TextReader:
    del settings
    from video_worker.readers.easyocr import EasyOcrReader

    return EasyOcrReader()


def _http(settings: ReaderSettings) -> TextReader:
    from video_worker.readers.http import HttpReader

    return HttpReader(settings)


ENGINES: Mapping[str, EngineEntry] = {
    "rapidocr": EngineEntry(_rapidocr, "pip install -r requirements.video.txt"),
    "sevensegment": EngineEntry(_seven_segment, "pip install -r requirements.base.txt"),
    "tesseract": EngineEntry(_tesseract, "pip install -r requirements.video.txt"),
    "easyocr": EngineEntry(
        _easyocr,
        "give WITH_OCR=easyocr in .env and build the images anew "
        "(without Docker: pip install -r requirements.easyocr.txt)",
    ),
    "http": EngineEntry(_http, "it needs nothing"),
}
"""All engines, the default first."""
REMOTE = frozenset({"http"})
"""Those that wait for another machine, which may be away: no other engine waits for them."""
