"""Clips of a sample volume: the drawn street, recorded by capture's own recorder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av

from camera_emulator.h264 import default_bitrate
from camera_emulator.scene import Scene
from devtools.sample_volume.plan import CAMERAS, FPS, RULES, SIZE, Plan
from shared_utils.config.cameras import Camera, MotionSettings
from shared_utils.contracts.clips import ClipName
from shared_utils.errors import SourceEnded
from shared_utils.log import camera_logger
from vcam_worker.recording.recorder import ClipWriter
from vcam_worker.recording.stream_recorder import StreamRecorder
from vcam_worker.stream.opening import connect
from vcam_worker.stream.packets import Packet
from vcam_worker.stream.protocols.pictures import PictureConnection
from vcam_worker.stream.source import Connection, StreamInfo

QUIET_END_S = 1.0
"""Of a film after its visit; it begins with the quiet before."""


@dataclass(frozen=True)
class RecordedClip:
    """A clip in the folder.

    Attributes:
        name: its name.
        begin_s: of its first frame, in the scene's time.
    """

    name: ClipName
    begin_s: float


def scene_of(plan: Plan, camera: str) -> Scene:
    return Scene(plan.seed * len(CAMERAS) + list(CAMERAS).index(camera), SIZE, FPS)


def record_clip(
    folder: Path, draft: Path, plan: Plan, camera: str, number: int, moment: datetime
) -> RecordedClip | None:
    """Film the visit of this number in front of `camera`; return its clip in `folder`, dated `moment`.

    None where capture saw nothing in it.
    """
    scene = scene_of(plan, camera)
    begin = scene.visit(number - 1).end_s if number else 0.0
    _draw(draft, scene, begin, scene.visit(number).end_s + QUIET_END_S)
    clip = _record(draft, camera, moment)
    draft.unlink()
    if clip is None:
        return None
    path, start = clip
    name = ClipName(moment.replace(tzinfo=None, microsecond=0), camera)
    shutil.move(path, folder / str(name))
    return RecordedClip(name, begin + start)


def _draw(path: Path, scene: Scene, begin: float, end: float) -> None:
    rate = Fraction(FPS).limit_denominator(1001)
    # as the emulated camera codes: a keyframe a second, no B-frames; one thread, as films are drawn side by side
    options = {"preset": "superfast", "x264-params": f"threads=1:keyint={round(FPS)}:scenecut=0:bframes=0"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = default_bitrate(SIZE, FPS)
        for number in range(math.ceil((end - begin) * FPS)):
            frame = av.VideoFrame.from_ndarray(scene.frame(begin + number / FPS), format="bgr24")
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _record(film: Path, camera: str, moment: datetime) -> tuple[Path, float] | None:
    """Record `film` by capture's own recorder; return the first clip, dated `moment`, and its begin in the film."""
    clips: list[Path] = []
    starts: list[float] = []

    def open_clip(info: StreamInfo, start: float, _: datetime) -> ClipWriter:
        starts.append(start)
        return ClipWriter(film.with_suffix(f".{start:.3f}.mp4"), info, start, moment)

    log = camera_logger("devtools.sample_volume", camera)
    with connect(Camera(camera, str(film), setting="FILM"), "file", paced=False) as connection:
        recorder = StreamRecorder(
            connection.info,
            MotionSettings(),
            RULES,
            live=False,
            open_clip=open_clip,
            on_clip=lambda clip: clips.append(clip.path),
            log=log,
        )
        for packet in _packets(connection):
            recorder.feed(packet)
            # where motion goes on there is a second clip, which would have to be dated right after this one
            if clips:
                break
        recorder.close()
    return (clips[0], starts[0]) if clips else None


def _packets(connection: Connection | PictureConnection) -> Iterator[Packet]:
    try:
        yield from connection.packets()
    except SourceEnded:
        return
