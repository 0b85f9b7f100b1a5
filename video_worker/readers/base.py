"""The interface of an engine that reads text in a picture, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from shared_utils.media.picture import Picture

Mode = Literal["line", "area"]
"""One line that fills the picture, or an area in which lines are looked for first."""


@dataclass(frozen=True)
class RawReading:
    """What an engine read.

    Attributes:
        text: as it was read; several lines of an area are joined by a newline; empty where there is none.
        confidence: 0..1; 0 where there is none.
    """

    text: str
    confidence: float


class TextReader(Protocol):
    """Reads text in pictures. It may be called by several threads at once."""

    @property
    def name(self) -> str:
        """Name of the engine, as in the task of a zone."""

    def read(self, picture: Picture, mode: Mode = "line") -> RawReading:
        """Return what a picture says.

        Args:
            picture: height×width×3, blue green red: the zone, upright.
            mode: what is in it.

        Raises:
            ReadingFailed: it could not be read this time; one line says why.
        """


class TextReaders(Protocol):
    """The engines of a program. Each is loaded when it is asked for, and once."""

    def get(self, name: str) -> TextReader:
        """Return an engine.

        Raises:
            ReaderMissing: there is none of that name, it is not installed or not set up; one line says how to add it.
        """
