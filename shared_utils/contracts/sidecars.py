"""Sidecars: the files of one run over one clip, ``<folder>/<stem>.<run_id>.jsonl`` on the shared volume.

A sidecar begins with a header line, which names its schema and its columns; files of earlier versions have none::

    {"schema": 1, "columns": ["label", "score", …]}

It appears under its name when it is complete. Deleting a clip deletes its sidecars: a new kind of sidecar joins
:data:`SIDECAR_FOLDERS`, and is deleted, cleaned up and documented from then on.
"""

from __future__ import annotations

import glob
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shared_utils.contracts.clips import sidecar_stem
from shared_utils.contracts.json_lines import parse_object, to_line
from shared_utils.durable import sync_file
from shared_utils.errors import FormatError

BOXES_FOLDER = "boxes"
EVENTS_FOLDER = "events"
SIDECAR_FOLDERS = (BOXES_FOLDER, EVENTS_FOLDER)
"""All folders of sidecars. ``labels/`` is none of them: labels are people's work, and stay when their clip goes."""
SIDECAR_SUFFIX = ".jsonl"
_BARE = str.maketrans({"/": "_", "\0": "_"})
"""Ids are read from lines of a log, and none may lead out of its folder."""
HOST_LETTERS = 24
"""Of this host's name in that of a partial file; a container's has 12."""


def sidecar_name(filename: str, run_id: str) -> str:
    """Return the name of the sidecars of a run over the clip `filename`, a bare name whatever the arguments hold."""
    return f"{sidecar_stem(filename)}.{run_id}{SIDECAR_SUFFIX}".translate(_BARE)


def run_ids(folder: Path, filename: str) -> Iterator[str]:
    """Yield the ids of the runs over the clip `filename` that have a sidecar in `folder`, in no order.

    Two clips whose names differ in their ending only, such as ``a.mp4`` and ``a.mkv``, share them.
    """
    stem = sidecar_stem(filename)
    for path in folder.glob(f"{glob.escape(stem)}.*{SIDECAR_SUFFIX}"):
        run_id = path.name[len(stem) + 1 : -len(SIDECAR_SUFFIX)]
        if "." not in run_id:  # else of another clip, whose stem goes on
            yield run_id


def list_sidecars(video_dir: Path, filename: str) -> list[Path]:
    """Return the sidecars of the clip `filename`, of all kinds and runs."""
    folders = [video_dir / folder for folder in SIDECAR_FOLDERS]
    return sorted(folder / sidecar_name(filename, run_id) for folder in folders for run_id in run_ids(folder, filename))


def delete_sidecars(video_dir: Path, filename: str) -> None:
    """Delete the sidecars of the clip `filename`, of all kinds and runs.

    Raises:
        OSError: one of them cannot be deleted.
    """
    for path in list_sidecars(video_dir, filename):
        path.unlink(missing_ok=True)


def remove_partials(path: Path) -> None:
    """Remove what killed workers left of the sidecar `path`."""
    for partial in path.parent.glob(f".*{glob.escape(_run_id(path))}.*.partial"):  # of earlier versions as well
        partial.unlink(missing_ok=True)


def remove_partials_of_run(video_dir: Path, filename: str, run_id: str) -> None:
    """Remove what killed workers left of the sidecars of a run, of all kinds."""
    for folder in SIDECAR_FOLDERS:
        remove_partials(video_dir / folder / sidecar_name(filename, run_id))


def _run_id(path: Path) -> str:
    return path.stem.rpartition(".")[2]


class SidecarWriter:
    """Writes a sidecar line by line, under another name until :meth:`publish`.

    Args:
        path: of the sidecar; its folder is made.
        schema: version of the format.
        columns: names of the values of a line, in their order.

    Raises:
        OSError: it cannot be written; so do all methods.
    """

    def __init__(self, path: Path, schema: int, columns: Sequence[str]) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # two workers may do one run at a time, when one was taken for dead; in containers all have the same process id
        host = socket.gethostname()[:HOST_LETTERS]
        self._partial = path.with_name(f".{_run_id(path)}.{host}-{os.getpid()}.partial")
        self._file: IO[str] = self._partial.open("w+", encoding="utf-8")
        self.write({"schema": schema, "columns": list(columns)})

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line."""
        self._file.write(to_line(line) + "\n")

    def publish(self) -> None:
        """Give the sidecar its name, once it is on disk, and remove what other workers left of it."""
        self._file.flush()
        if not self._partial.exists():
            self._write_again()
        sync_file(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)
        remove_partials(self._path)

    def _write_again(self) -> None:
        """Write the file again: its folder was deleted meanwhile, and what is open of it is still there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        deleted, self._file = self._file, self._partial.open("w+", encoding="utf-8")
        with deleted:
            deleted.seek(0)
            shutil.copyfileobj(deleted, self._file)
        self._file.flush()

    def close(self) -> None:
        """Remove the partial file, if it was not published. Never raises: a full disk cannot flush what is left."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Header:
    """The header of a sidecar.

    Attributes:
        columns: names of the values of a line, in their order.
        start: byte at which the lines after the header begin.
    """

    columns: tuple[str, ...]
    start: int


def read_header(content: bytes, path: Path, schema: int, columns: Sequence[str], needed: Sequence[str]) -> Header:
    """Return the header of a sidecar that was read as `content`; the default one if it has none.

    Args:
        content: the file, or the beginning of it with its first line.
        path: of the file, for messages.
        schema: the version that can be read.
        columns: those of a file without a header.
        needed: those that a header must name.

    Raises:
        FormatError: the file is of another version.
    """
    end = content.find(b"\n") + 1
    first = parse_object(content[:end] if end else content)
    if first is None:
        return Header(tuple(columns), 0)
    check_schema(first, path, schema)
    named = first.get("columns")
    if named is None:
        return Header(tuple(columns), 0)
    if not isinstance(named, list) or not set(needed) <= {name for name in named if isinstance(name, str)}:
        raise FormatError(f"{display_path(path)} lacks one of the columns {', '.join(needed)}: update vcam")
    return Header(tuple(map(str, named)), end or len(content))


def check_schema(entry: Mapping[str, Any], path: Path, schema: int) -> None:
    """Refuse an object of a file whose ``schema`` is not `schema`; one without is of the first.

    Raises:
        FormatError: it names another one.
    """
    found = entry.get("schema", schema)
    if found != schema or isinstance(found, bool):
        raise FormatError(
            f"{display_path(path)} is of schema {str(found)[:20]}, which this version does not know: update vcam"
        )


def display_path(path: Path) -> str:
    """Return the name of a file with its folder's, for messages."""
    return f"{path.parent.name}/{path.name}"
