"""How steps come by the reference pictures of a camera and its pages, and report what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared_utils.contracts.clips import printable_path
from shared_utils.media.picture import Picture
from shared_utils.media.picture_files import read_picture
from video_worker.steps.context import StepContext

MAX_BYTES = 64 * 2**20
"""Of a file: a PNG of a 4K frame full of noise has 25 MB."""


@dataclass(frozen=True)
class Reference:
    """The picture that a camera's zones were drawn on, or that of one of its pages.

    Attributes:
        context: of the run.
        file: name of its file, beside that of the zones.
        page: name of the page; None for the camera's own.
    """

    context: StepContext
    file: str
    page: str | None = None

    def read(self) -> Picture | None:
        """Return the picture, height×width×3, blue green red; None where it cannot be read, which is reported once."""
        try:
            if self._path.stat().st_size <= MAX_BYTES:
                return read_picture(self._path)
            self.complain(f"it is larger than {MAX_BYTES >> 20} MiB")
        except FileNotFoundError:
            self.complain("there is no such file")
        except OSError as error:
            self.complain(error.strerror or str(error))
        except ValueError as error:
            self.complain(str(error))
        return None

    def complain(self, problem: str, until: str | None = None) -> None:
        """Report once that the picture is of no use, how to save another one, and what happens until then."""
        affected = "zones" if self.page is None else f"page {self.page}"
        if until is None:
            until = "they are read where they were drawn" if self.page is None else "it counts as not displayed"
        line = f"reference picture {printable_path(self._path)}: {problem}; until {self.command} saves another, {until}"
        self.context.report_problem(affected, line)

    @property
    def command(self) -> str:
        """The command that saves another one."""
        camera = self.context.zones.camera if self.context.zones is not None else "CAMERA"
        return f"python -m shared_utils.zones reference {camera}" + (f" --page {self.page}" if self.page else "")

    @property
    def _path(self) -> Path:
        return (self.context.zones_dir or Path()) / self.file
