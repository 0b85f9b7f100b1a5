"""Export a clip with its boxes as MP4 (H.264) or GIF. Streamed: one or two frames in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from tqdm.auto import tqdm

from notebooks.lab.media.clip import Clip
from notebooks.lab.media.draw import with_boxes
from shared_utils.contracts.clips import sidecar_stem
from shared_utils.errors import ClipError
from shared_utils.media.frames import ClipReader, ReadOptions
from shared_utils.media.picture import Picture, fitted_size

EXPORTS_FOLDER = "exports"
"""Folder in the shared volume; nothing in it counts as a clip."""
MP4_MAX_SIDE_PX = 1920
"""Small machines do not play larger videos."""
MP4_OPTIONS = {"preset": "veryfast", "crf": "23", "profile": "high", "bf": "0"}
"""Without B-frames, no edit list (ISO/IEC 14496-12, 8.6.6) is needed for the first frame's time to be 0."""
MP4_TICKS_PER_S = 90_000
"""Time base of the exported MP4: that of RTP (RFC 3551, 5), and so of the clips."""
GIF_MAX_SIDE_PX = 480
SMALL_TEXT = 1.4
"""Factor for the size of texts in GIFs, which are displayed small."""
GIF_FPS = 8.0
GIF_MAX_S = 20.0
"""Longest GIF: 20 s at this size take some megabytes."""
GIF_TICKS_PER_S = 100
"""Delay times in GIF are hundredths of a second (GIF89a, section 23)."""
THREADS = 2
RGB = VideoFormat("rgb24")

Progress = Callable[[float], None]
"""Called with the share that is done, 0..1."""


@dataclass(frozen=True)
class Cut:
    """The part of a clip to export, and the boxes to draw.

    Attributes:
        start_s: seconds from the clip's first frame.
        end_s: likewise; None for the clip's end.
        min_conf: score threshold of the boxes; None for the run's own.
    """

    start_s: float = 0.0
    end_s: float | None = None
    min_conf: float | None = None


def export_mp4(clip: Clip, path: Path | None = None, cut: Cut | None = None, progress: Progress | None = None) -> Path:
    """Write `clip` with its boxes as an MP4 (H.264) and return its path.

    Frames keep their times, also at a varying rate. Audio is left out. Boxes between sampled frames are dashed.

    Args:
        clip: the clip.
        path: the file to write; None for a name in the shared volume's ``exports/``.
        cut: the part to export; None for the whole clip.
        progress: called with the share that is done; None displays a progress bar.

    Raises:
        ClipError: no frame of that part can be read.
    """
    target = path or _default_path(clip, ".annotated.mp4")
    with (
        _written(target) as partial,
        _bar(target.name, progress) as report,
        av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = container.add_stream("libx264", rate=_frame_rate(clip), options=MP4_OPTIONS)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, MP4_TICKS_PER_S)
        stream.codec_context.thread_count = THREADS
        for time_s, picture in _pictures(clip, cut or Cut(), 0.0, MP4_MAX_SIDE_PX, report):
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            frame = VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round(time_s * MP4_TICKS_PER_S), Fraction(1, MP4_TICKS_PER_S)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target


def export_gif(clip: Clip, path: Path | None = None, cut: Cut | None = None, progress: Progress | None = None) -> Path:
    """Write `clip` with its boxes as a small GIF (8 frames per second, at most 20 s) and return its path.

    The clip is read twice: for the palette of all frames, and for the frames. For the rest see :func:`export_mp4`.
    """
    target = path or _default_path(clip, ".annotated.gif")
    cut = cut or Cut()
    end = min(cut.start_s + GIF_MAX_S, clip.frames.facts.duration_s if cut.end_s is None else cut.end_s)
    cut = Cut(cut.start_s, end, cut.min_conf)
    with _written(target) as partial, _bar(target.name, progress) as report:
        palette = _palette(_pictures(clip, cut, GIF_FPS, GIF_MAX_SIDE_PX, lambda share: report(share / 2)))
        _write_gif(
            partial, palette, _pictures(clip, cut, GIF_FPS, GIF_MAX_SIDE_PX, lambda share: report(0.5 + share / 2))
        )
    return target


def _pictures(clip: Clip, cut: Cut, fps: float, side: int, progress: Progress) -> Iterator[tuple[float, Picture]]:
    """Yield the drawn frames of a part with their times, seconds from its first frame; sides are even."""
    facts = clip.frames.facts
    end = facts.duration_s if cut.end_s is None else min(cut.end_s, facts.duration_s)
    size = fitted_size(facts.width, facts.height, side)
    origin: float | None = None
    options = ReadOptions(clip.run.aspect if clip.run else None)
    with ClipReader(clip.path, fps, THREADS, options) as reader:
        for frame in reader:
            if frame.time_s > end:
                break
            if frame.time_s < cut.start_s:
                continue
            origin = frame.time_s if origin is None else origin
            boxes = clip.boxes_at(frame.time_s, cut.min_conf)
            enlarge = SMALL_TEXT if side <= GIF_MAX_SIDE_PX else 1.0
            note = clip.clock(frame.time_s)
            yield frame.time_s - origin, with_boxes(frame.picture, boxes, note, size=size, enlarge=enlarge)
            progress(min(1.0, (frame.time_s - cut.start_s) / max(end - cut.start_s, 1e-9)))
    if origin is None:
        raise ClipError(f"{clip.path.name} has no frame from {cut.start_s:g} to {end:g} s")
    progress(1.0)


def _palette(pictures: Iterator[tuple[float, Picture]]) -> VideoFrame:
    """Return a palette of 256 colours for all of `pictures`, as the 16×16 frame that FFmpeg's paletteuse takes."""
    graph: Graph | None = None
    for time_s, picture in pictures:
        frame = _gif_frame(picture, time_s)
        if graph is None:
            graph = Graph()
            source = graph.add_buffer(width=frame.width, height=frame.height, format=RGB, time_base=frame.time_base)
            graph.link_nodes(source, graph.add("palettegen", "stats_mode=diff"), graph.add("buffersink")).configure()
        graph.push(frame)
    if graph is None:
        raise ClipError("there is no frame to take colours from")
    graph.push(None)
    return graph.vpull()


def _write_gif(path: Path, palette: VideoFrame, pictures: Iterator[tuple[float, Picture]]) -> None:
    with av.open(str(path), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=GIF_TICKS_PER_S)
        stream.pix_fmt = "pal8"
        stream.codec_context.time_base = Fraction(1, GIF_TICKS_PER_S)
        graph: Graph | None = None
        last = -1
        for time_s, picture in pictures:
            frame = _gif_frame(picture, time_s)
            if frame.pts is None or frame.pts <= last:  # closer than the format can express
                continue
            last = frame.pts
            if graph is None:
                stream.width, stream.height = frame.width, frame.height
                graph = _gif_graph((frame.width, frame.height), palette)
            graph.push(frame, at=0)
            _encode_ready(graph, container, stream)
        if graph is not None:
            graph.vpush(None, at=0)
            _encode_ready(graph, container, stream)
        container.mux(stream.encode(None))


def _gif_graph(size: tuple[int, int], palette: VideoFrame) -> Graph:
    graph = Graph()
    tick = Fraction(1, GIF_TICKS_PER_S)
    pictures = graph.add_buffer(width=size[0], height=size[1], format=RGB, time_base=tick)
    colours = graph.add_buffer(width=palette.width, height=palette.height, format=palette.format, time_base=tick)
    # a Bayer pattern stays the same where the picture does, unlike error diffusion, which keeps files small
    user = graph.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
    pictures.link_to(user, 0, 0)
    colours.link_to(user, 0, 1)
    user.link_to(graph.add("buffersink"))
    graph.configure()
    palette.pts, palette.time_base = 0, tick
    colours.push(palette)
    colours.push(None)
    return graph


def _encode_ready(graph: Graph, container: OutputContainer, stream: VideoStream) -> None:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        container.mux(stream.encode(frame))


def _gif_frame(picture: Picture, time_s: float) -> VideoFrame:
    frame = VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="rgb24")
    frame.pts, frame.time_base = round(time_s * GIF_TICKS_PER_S), Fraction(1, GIF_TICKS_PER_S)
    return frame


def _frame_rate(clip: Clip) -> Fraction:
    facts = clip.frames.facts
    rate = Fraction(facts.frames / max(facts.duration_s, 1e-3)).limit_denominator(1001)
    return rate if rate > 0 else Fraction(1)


def _default_path(clip: Clip, suffix: str) -> Path:
    return clip.path.parent / EXPORTS_FOLDER / f"{sidecar_stem(clip.path.name)}{suffix}"


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Yield a hidden path beside `target`; rename it to `target` on success, remove it on failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{sidecar_stem(target.name)}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _bar(name: str, progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with tqdm(total=100, desc=name, unit="%", bar_format="{desc}: {percentage:3.0f} %|{bar}| {elapsed}") as bar:
        yield lambda share: bar.update(share * 100 - bar.n) and None
