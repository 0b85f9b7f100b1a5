"""The player of ViewVideo as a widget (anywidget): a clip with a run's boxes drawn over it while it plays.

The page loads the clip from the URL under which Jupyter serves it, so that it can stream and seek. Without such a URL,
the kernel sends the file. If the browser does not support the codec, the kernel decodes and sends single frames.
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
CHUNK_BYTES = 1 << 20
"""Size of a message through the kernel: larger ones would delay all others."""
STILL_MAX_SIDE_PX = 1280
"""Of single frames."""
POSTER_MAX_SIDE_PX = 960
JPEG_QUALITY = 82
WIDELY_PLAYED = frozenset({"h264", "vp8", "vp9", "av1"})
"""Codecs that every browser plays (MDN: Web video codec guide). For H.265 it depends on browser and machine."""
_NO_CLIP = {"name": "", "width": 16, "height": 9, "duration_s": 0.0, "hold_s": 0.0, "palette": SERIES, "grey": GREY}


class Player(anywidget.AnyWidget):
    """Plays a clip with its boxes. Threshold, labels and frame steps are handled in the page, without inference.

    Attributes:
        about: facts about the clip for the page.
        times: time of each frame, seconds from the first.
        samples: sampled frames: time, index, boxes as in the boxes file.
        threshold: least score of the boxes drawn, 0.1..1; set by the slider.
        hidden: labels whose boxes are not drawn.
        time: time of the displayed frame in seconds, updated 0.25 s after it last changed.
    """

    # one module for the page, of two files for people
    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("boxes_canvas.js", "player.js"))
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
        """Display another clip, or none. The clip must stay open while it is displayed; the caller closes it.

        Args:
            clip: the clip; None for none.
            title: text above the picture; empty for the clip's name and run.
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
            self.samples = [_packed(sample) for sample in clip.boxes.samples]
            self.threshold = max(0.1, clip.conf)
            self.hidden = []
            self.time = 0.0
            self.about = self._about(clip, title)

    def seek(self, time_s: float) -> None:
        """Go to the frame displayed at `time_s`."""
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
            "plays_everywhere": clip.frames.codec in WIDELY_PLAYED,
            "browser_mismatch": clip.frames.browser_mismatch,
            "has_audio": clip.frames.has_audio,
            "width": facts.width,
            "height": facts.height,
            "duration_s": round(facts.duration_s, 6),
            "started": clip.started_at.replace(tzinfo=None).isoformat("T", "milliseconds") if clip.started_at else "",
            "labels": clip.boxes.labels(),
            "hold_s": clip.boxes.hold_s,
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
            chunk = file.read(CHUNK_BYTES)
        about = {"what": "bytes", "name": clip.path.name, "offset": offset, "total": clip.path.stat().st_size}
        self.send(about, [chunk])

    def _send_still(self, clip: Clip, index: int) -> None:
        frame = clip.frames.frame(index)
        size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, STILL_MAX_SIDE_PX)
        # without boxes: the page draws them over it, as it does over the video
        picture = encode_jpeg(resized(frame.picture, size), JPEG_QUALITY)
        self.send({"what": "still", "name": clip.path.name, "index": index, "time": frame.time_s}, [picture])


def best_moment(clip: Clip, min_conf: float | None = None) -> float:
    """Return the time of the sampled frame with the highest sum of scores; 0 if there are no boxes."""
    conf = clip.conf if min_conf is None else min_conf

    def weight(sample: Sampled) -> float:
        return sum(box.score for box in sample.boxes if box.score >= conf)

    return max(clip.boxes.samples, key=weight, default=Sampled(0.0, 0, ())).time_s


def poster(clip: Clip, time_s: float | None = None) -> bytes:
    """Return the frame at `time_s` (None: at the best moment) with its boxes, as a JPEG."""
    frame = clip.frame_at(best_moment(clip) if time_s is None else time_s)
    size = fitted_size(clip.frames.facts.width, clip.frames.facts.height, POSTER_MAX_SIDE_PX)
    drawn = with_boxes(frame.picture, clip.boxes_at(frame.time_s), clip.clock(frame.time_s), size=size)
    return encode_jpeg(drawn, JPEG_QUALITY)


def _packed(sample: Sampled) -> Sequence[Any]:
    boxes = [[box.label, box.score, *box.xyxy, box.track] for box in sample.boxes]
    return [sample.time_s, sample.frame, boxes]


def _kernel_id() -> str:
    """Return the id of this kernel, by which the page finds its session; empty outside a kernel."""
    try:
        return Path(get_connection_file()).stem.removeprefix("kernel-")
    except RuntimeError:
        return ""
