"""The outbox's notes: a file per clip that has no job yet, written before the clip gets its name."""

from __future__ import annotations

import json
from pathlib import Path

from shared_utils.contracts.clips import CLIP_SUFFIX, parse_clip_name
from shared_utils.durable import sync_file, sync_folder
from vcam_worker.recording.storage.volume import Volume

NOTE_SUFFIX = ".json"


def note_path(volume: Volume, name: str) -> Path:
    """Return the note of the clip `name`."""
    return volume.notes / f"{name}{NOTE_SUFFIX}"


def write_note(volume: Volume, name: str, work: str, recording: str) -> None:
    """Write the note of a clip, durably.

    Args:
        volume: the shared volume.
        name: the clip's.
        work: name of its file in work.
        recording: the recording's id.

    Raises:
        FileExistsError: there is one.
        OSError: the volume does not take it; no part of it is left.
    """
    path = note_path(volume, name)
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(json.dumps({"filename": name, "work": work, "recording": recording}))
            file.flush()
            sync_file(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def read_note(volume: Volume, name: str) -> dict[str, object]:
    """Return what the note of a clip says; nothing where it cannot be read, as after a power cut."""
    try:
        entry = json.loads(note_path(volume, name).read_text())
    except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def waiting_clips(volume: Volume) -> list[str]:
    """Return the names of all cameras' clips that have a note, and no job yet."""
    names = (note.name.removesuffix(NOTE_SUFFIX) for note in volume.notes.glob(f"*{CLIP_SUFFIX}{NOTE_SUFFIX}"))
    return sorted(name for name in names if parse_clip_name(name))
