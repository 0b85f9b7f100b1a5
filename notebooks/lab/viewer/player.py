"""The player of ViewVideo: the film with a run's boxes drawn over it while it plays, by anywidget.

The page gets the film by the address under which Jupyter serves it, so that it is streamed and can be sought in.
Where no address leads to it, it is sent through the kernel; and where the browser does not know its codec, single
frames are, which are decoded here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from ipykernel.connect import get_connection_file

from notebooks.lab.media.clip import Clip, Sampled
from notebooks.lab.media.draw import with_boxes
from notebooks.lab.plots.style import GREY, SERIES
from shared_utils.errors import VcamError
from shared_utils.media.picture import encode_jpeg, fitted_size, resized

HERE = Path(__file__).resolve().parent
CHUNK = 1 << 20
"""Bytes of a message through the kernel: larger ones would hold up all others."""
STILL_SIDE = 1280
"""Longest side of single frames, pixels."""
POSTER_SIDE = 960
JPEG_QUALITY = 82
PLAYED = frozenset({"h264", "vp8", "vp9", "av1"})
"""Codecs that every browser plays. H.265 is played by some, on some machines."""
_NO_CLIP = {"name": "", "width": 16, "height": 9, "duration_s": 0.0, "hold_s": 0.0, "palette": SERIES, "grey": GREY}


class Player(anywidget.AnyWidget):
    """Shows a clip; boxes, threshold and frame steps work in the page, without inference.

    Attributes:
        about: what the page has to know of the clip.
        times: time of each frame, seconds from the first.
        samples: sampled frames: time, number, boxes as in the boxes file.
        threshold: score from which boxes are drawn, 0.1..1; the slider's.
        hidden: labels that are not drawn.
        time: seconds of the frame on screen, a moment after it has come to rest.
    """

    _esm = HERE / "player.js"
    _css = HERE / "player.css"
    about = traitlets.Dict(dict(_NO_CLIP)).tag(sync=True)
    times: traitlets.List[float] = traitlets.List().tag(sync=True)
    samples: traitlets.List[Sequence[Any]] = traitlets.List().tag(sync=True)
    threshold = traitlets.Float(0.5).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    time = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, clip: Clip | None = None, *, by_kernel: bool = False) -> None:
        super().__init__()
        self._clip: Clip | None = None
        self._by_kernel = by_kernel
        self.on_msg(self._answer)
        if clip is not None:
            self.show(clip)

    def show(self, clip: Clip | None, title: str = "") -> None:
        """Show another clip, or nothing. The clip stays open while it is shown; whoever opened it closes it.

        Args:
            title: for above the picture; None for name, run and what was seen.
        """
        self._clip = clip
        if clip is None:
            with self.hold_sync():
                self.set_trait("times", [])
                self.set_trait("samples", [])
                self.about = {**_NO_CLIP, "title": title}
            return
        with self.hold_sync():
            self.times = [round(time_s, 6) for time_s in clip.frames.times_s]
            self.samples = [_packed(sample) for sample in clip.seen.samples]
            self.threshold = max(0.1, clip.conf)
            self.hidden = []
            self.time = 0.0
            self.about = self._about(clip, title)

    def seek(self, time_s: float) -> None:
        """Go to the frame that is on screen at `time_s`."""
        self.send({"what": "seek", "time": time_s})

    def _about(self, clip: Clip, title: str) -> dict[str, Any]:
        facts = clip.frames.facts
        path = os.path.relpath(clip.path, Path.cwd())
        run = clip.run.title if clip.run else "not analysed yet: no boxes"
        return {
            "name": clip.path.name,
            "title": title or f"{clip.path.name} ({run})",
            "path": Path(path).as_posix(),
            "bytes": clip.path.stat().st_size,
            "kernel": _kernel_id(),
            "by_kernel": self._by_kernel,
            "codec": clip.frames.codec,
            "plays_everywhere": clip.frames.codec in PLAYED,
            "unlike": clip.frames.browser_mismatch,
            "sound": clip.frames.has_audio,
            "width": facts.width,
            "height": facts.height,
            "duration_s": round(facts.duration_s, 6),
            "started": clip.started_at.replace(tzinfo=None).isoformat("T", "milliseconds") if clip.started_at else "",
            "labels": clip.seen.labels(),
            "hold_s": clip.seen.hold_s,
            "palette": list(SERIES),
            "grey": GREY,
        }

    def _answer(self, _: object, message: dict[str, Any], __: object) -> None:
        clip = self._clip
        if clip is None or message.get("name", clip.path.name) != clip.path.name:
            return
        try:
            if message.get("what") == "bytes":
                self._send_bytes(clip, int(message["offset"]))
            elif message.get("what") == "still":
                self._send_still(clip, int(message["index"]))
        except (VcamError, OSError) as error:
            text = f"{clip.path.name} is not there any more" if isinstance(error, FileNotFoundError) else str(error)
            self.send({"what": "error", "text": f"{text}: choose another clip"})

    def _send_bytes(self, clip: Clip, offset: int) -> None:
        with clip.path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(CHUNK)
        about = {"what": "bytes", "name": clip.path.name, "offset": offset, "total": clip.path.stat().st_size}
        self.send(about, [chunk])

    def _send_still(self, clip: Clip, index: int) -> None:
        frame = clip.frames.frame(index)
        size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, STILL_SIDE)
        # without boxes: the page draws them over it, as over the film
        picture = encode_jpeg(resized(frame.picture, size), JPEG_QUALITY)
        self.send({"what": "still", "name": clip.path.name, "index": index, "time": frame.time_s}, [picture])


def best_moment(clip: Clip, min_conf: float | None = None) -> float:
    """Return the time of the sampled frame that shows most: the highest sum of scores; 0 where nothing was seen."""
    conf = clip.conf if min_conf is None else min_conf

    def weight(sample: Sampled) -> float:
        return sum(box.score for box in sample.boxes if box.score >= conf)

    return max(clip.seen.samples, key=weight, default=Sampled(0.0, 0, ())).time_s


def poster(clip: Clip, time_s: float | None = None) -> bytes:
    """Return the frame at `time_s` (None: at the best moment) with its boxes, as a JPEG."""
    frame = clip.frame_at(best_moment(clip) if time_s is None else time_s)
    size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, POSTER_SIDE)
    drawn = with_boxes(frame.picture, clip.boxes_at(frame.time_s), clip.clock(frame.time_s), size=size)
    return encode_jpeg(drawn, JPEG_QUALITY)


def _packed(sample: Sampled) -> Sequence[Any]:
    boxes = [[box.label, box.score, *box.xyxy, box.track] for box in sample.boxes]
    return [sample.time_s, sample.frame, boxes]


def _kernel_id() -> str:
    """Return the id of the kernel we are in, by which the page finds its session; empty outside of one."""
    try:
        return Path(get_connection_file()).stem.removeprefix("kernel-")
    except RuntimeError:
        return ""
