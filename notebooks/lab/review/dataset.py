"""Exports reviewed frames as a YOLO data set: pictures, a text file of boxes for each, and ``data.yaml``.

::

    images/train/20260223-144819-door-000024.jpg     labels/train/20260223-144819-door-000024.txt
    images/val/…                                     labels/val/…                         data.yaml

Frames that were reviewed as a whole are exported, no others: in half of a frame, what nobody has judged yet would be
taught as background. Boxes that are wrong are not written, so that their frame teaches that nothing is there.

Training and validation are split by clip. Frames of one clip show the same objects before the same walls; were they
in both, the score would tell how well the clips are known by heart. The side is taken from a hash of the clip's name:
it is the same on each export and machine, and stays so when clips are added.

Pictures that an earlier export holds are kept, also when retention has deleted their clips since.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from shared_utils.contracts.clips import sidecar_stem
from shared_utils.contracts.labels import Label, LabelFile, read_all_labels, truth
from shared_utils.errors import ClipError, ClipMissing, SettingError
from shared_utils.media.grabber import FrameGrabber

DATASETS_FOLDER = "datasets"
YAML_NAME = "data.yaml"
HEADER = "# vcam: exported by LabelReview, made anew by each export; put nothing of yours into this folder"
VAL_SHARE = 0.2
JPEG_QUALITY = 95
"""Pictures to learn from: artefacts of a lower one would be learnt as well."""
FRAME_DIGITS = 6
_NAME = re.compile(r"  (\d+): (\".*\")")

Side = Literal["train", "val"]
SIDES: tuple[Side, Side] = ("train", "val")


@dataclass
class Exported:
    """What an export wrote.

    Attributes:
        folder: the data set.
        names: its classes; their places are their ids.
        frames: of each side, how many pictures.
        empty: of each side, how many of them show nothing.
        boxes: boxes by side and label.
        clips: names of the clips on each side.
        notes: a line for whatever was left out.
    """

    folder: Path
    names: tuple[str, ...] = ()
    frames: Counter[Side] = field(default_factory=Counter)
    empty: Counter[Side] = field(default_factory=Counter)
    boxes: dict[Side, Counter[str]] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    clips: dict[Side, list[str]] = field(default_factory=lambda: {side: [] for side in SIDES})
    notes: list[str] = field(default_factory=list)

    @property
    def yaml(self) -> Path:
        """``data.yaml``, which trainers are given."""
        return self.folder / YAML_NAME


def side_of(filename: str, val_share: float = VAL_SHARE) -> Side:
    """Return the side that a clip is on."""
    return "val" if _hash(filename) < val_share else "train"


def sides_of(filenames: Iterable[str], val_share: float = VAL_SHARE) -> dict[str, Side]:
    """Return the side of each clip, so that each side has one.

    Where the hash leaves a side without a clip, as happens with few, the nearest one goes there.

    Raises:
        SettingError: there is one clip or none, which cannot be on both sides.
    """
    clips = sorted(set(filenames), key=lambda filename: (_hash(filename), filename))
    if len(clips) < 2:
        raise SettingError(
            f"{len(clips)} clips have frames that were reviewed as a whole: two at least are needed, as no clip may be "
            "in both train and val. Review frames of another one"
        )
    sides = {filename: side_of(filename, val_share) for filename in clips}
    sides[clips[0]], sides[clips[-1]] = "val", "train"
    return sides


def _hash(filename: str) -> float:
    return int.from_bytes(hashlib.sha256(filename.encode()).digest()[:8]) / 2**64


def stable_names(labels: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return class names in the order of their ids: those that are `known` keep theirs, new ones follow by name."""
    return (*known, *sorted(set(labels) - set(known)))


def yolo_line(label: Label, number: int, size: tuple[int, int]) -> str:
    """Return a box as YOLO writes it: class, centre and size, in shares of the picture."""
    width, height = size
    x1, x2 = (min(max(x, 0.0), width) for x in (label.xyxy[0], label.xyxy[2]))
    y1, y2 = (min(max(y, 0.0), height) for y in (label.xyxy[1], label.xyxy[3]))
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"{number} " + " ".join(f"{share:.6f}" for share in shares)


def read_names(yaml: Path) -> tuple[str, ...]:
    """Return the class names of an export of ours, in the order of their ids; none where there is none."""
    try:
        lines = yaml.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    found = {int(match[1]): str(json.loads(match[2])) for line in lines if (match := _NAME.fullmatch(line))}
    return tuple(found[number] for number in sorted(found))


def export_dataset(
    video_dir: Path,
    name: str = "review",
    *,
    names: Sequence[str] = (),
    val_share: float = VAL_SHARE,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Exported:
    """Write all that was reviewed to ``datasets/<name>`` of the shared volume, in place of an earlier export.

    Args:
        video_dir: the shared volume.
        name: of the folder.
        names: classes to begin with, in the order of their ids, such as those of the model to be tuned. An earlier
            export's go first: an id never changes.
        val_share: share of the clips that go to validation.
        on_progress: takes the share that is done, 0..1.

    Raises:
        SettingError: nothing to export, one clip only, or a folder of that name that is no export of ours.
        OSError: the disk is full, or may not be written to.
    """
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise SettingError(f"name is {name!r}: give a plain folder name, such as 'review'")
    target = video_dir / DATASETS_FOLDER / name
    if target.exists() and not _is_ours(target):
        raise SettingError(f"{DATASETS_FOLDER}/{name} is there and no export of LabelReview: choose another name")
    files, notes = read_all_labels(video_dir)
    files = [file for file in files if file.frames]
    sides = sides_of((file.filename for file in files), val_share)
    labels = {label.label for file in files for label in truth(file) if label.frame in file.frames}
    done = Exported(target, stable_names(labels, [*(old := read_names(target / YAML_NAME)), *_others(names, old)]))
    done.notes += notes
    partial = target.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for side in SIDES:
        (partial / "images" / side).mkdir(parents=True)
        (partial / "labels" / side).mkdir(parents=True)
    for number, file in enumerate(files):
        _export_clip(video_dir, file, sides[file.filename], partial, done)
        on_progress((number + 1) / len(files))
    for side in SIDES:
        if not done.frames[side]:
            shutil.rmtree(partial)
            raise SettingError(f"no picture is left for {side}: {'; '.join(done.notes)}")
    (partial / YAML_NAME).write_text(_yaml(done.names), encoding="utf-8")
    _replace(partial, target)
    return done


def _others(names: Sequence[str], known: Sequence[str]) -> list[str]:
    return [name for name in names if name not in known]


def _is_ours(folder: Path) -> bool:
    try:
        return (folder / YAML_NAME).read_text(encoding="utf-8").startswith(HEADER)
    except (OSError, ValueError):
        return False


def _yaml(names: Sequence[str]) -> str:
    # no "path": trainers take the folder of this file then, wherever it is moved. JSON's strings are YAML's
    head = [HEADER, "train: images/train", "val: images/val", "names:"]
    rows = [f"  {number}: {json.dumps(name, ensure_ascii=False)}" for number, name in enumerate(names)]
    return "\n".join([*head, *rows]) + "\n"


def _replace(partial: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.replace(old)
    partial.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _export_clip(video_dir: Path, file: LabelFile, side: Side, partial: Path, done: Exported) -> None:
    stem = sidecar_stem(file.filename)
    grabber: FrameGrabber | None = None
    lost: list[str] = []
    wrote = 0
    try:
        grabber = FrameGrabber(video_dir / file.filename)
    except ClipMissing:
        lost.append("the clip is not there any more")
    except (ClipError, OSError) as error:
        lost.append(str(error))
    for frame in sorted(file.frames):
        image = partial / "images" / side / f"{stem}-{frame:0{FRAME_DIGITS}d}.jpg"
        if not _kept(done.folder, image) and not _grabbed(grabber, frame, image, lost):
            continue
        with Image.open(image) as picture:
            size = picture.size
        labels = [label for label in truth(file) if label.frame == frame]
        lines = [yolo_line(label, done.names.index(label.label), size) for label in labels]
        text = partial / "labels" / side / f"{image.stem}.txt"
        text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        wrote += 1
        done.empty[side] += not lines
        done.boxes[side].update(label.label for label in labels)
    if grabber:
        grabber.close()
    done.frames[side] += wrote
    if wrote:
        done.clips[side].append(file.filename)
    if wrote < len(file.frames):
        done.notes.append(f"{file.filename}: {len(file.frames) - wrote} frames were left out ({lost[0]})")


def _kept(old: Path, image: Path) -> bool:
    """Take a picture over from the earlier export, whichever side it was on; tell whether it was there."""
    for side in SIDES:
        source = old / "images" / side / image.name
        if source.is_file():
            try:
                os.link(source, image)
            except OSError:  # a file system without links
                shutil.copy(source, image)
            return True
    return False


def _grabbed(grabber: FrameGrabber | None, frame: int, image: Path, lost: list[str]) -> bool:
    if grabber is None:
        return False
    try:
        found = grabber.frame(frame)
    except ClipError as error:
        lost.append(str(error))
        return False
    if found.index != frame:
        lost.append(f"frame {frame} cannot be decoded")
        return False
    picture = Image.fromarray(found.picture[..., ::-1].copy())
    picture.save(image, "JPEG", quality=JPEG_QUALITY)
    return True
