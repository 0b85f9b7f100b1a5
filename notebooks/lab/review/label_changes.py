"""Changes of a review to a clip's labels (:mod:`shared_utils.contracts.labels`), which can be undone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from shared_utils.contracts.labels import Label, LabelFile, update_labels


@dataclass(frozen=True)
class Change:
    """A step of a review. It is made on what is in the file by then, so that two people can work on one clip.

    Attributes:
        removed: labels that go.
        added: labels that come; one about the same box of a run takes the place of an older one.
        reviewed: frames that are reviewed as a whole now.
        reopened: frames that are not any more.
        complete: whether something is left to do, as far as known; None leaves it as it is.
    """

    removed: tuple[Label, ...] = ()
    added: tuple[Label, ...] = ()
    reviewed: frozenset[int] = frozenset()
    reopened: frozenset[int] = frozenset()
    complete: bool | None = None

    def inverse(self) -> Change:
        """Return the step that takes this one back; what it replaced must be among its `removed`."""
        return Change(self.added, self.removed, self.reopened, self.reviewed, False if self.reviewed else None)


def change(video_dir: Path, filename: str, step: Change) -> LabelFile:
    """Make a step in a clip's labels file, and return what is in it then; on disk when this returns.

    Raises:
        FormatError: the file cannot be added to; it is left as it is.
        OSError: it cannot be written.
    """
    return update_labels(video_dir, filename, lambda file: applied(file, step))


def applied(file: LabelFile, step: Change) -> LabelFile:
    """Return `file` after `step`; nothing is written."""
    judged = {(one.frame, one.source) for one in step.added if one.source}
    gone = set(step.removed)
    kept = [one for one in file.labels if one not in gone and (one.frame, one.source) not in judged]
    frames = (file.frames | step.reviewed) - step.reopened
    labels = sorted([*kept, *(one for one in step.added if one not in kept)], key=lambda one: one.frame)
    complete = file.complete if step.complete is None else step.complete
    return replace(file, frames=frames, labels=tuple(labels), complete=complete, skipped=0)
