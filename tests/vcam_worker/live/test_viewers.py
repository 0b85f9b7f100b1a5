"""What viewers of one camera get: late ones, slow ones, those of long GOPs."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import av
import pytest

from tests.vcam_worker.live.packets import FPS, GOP, decoded, packets, stream_info
from vcam_worker.live.video import viewers
from vcam_worker.live.video.feed import VideoFeed
from vcam_worker.live.video.muxer import LiveMuxer
from vcam_worker.live.video.parts import END, FRAMES, INIT, Fragment, Init, pack_frames
from vcam_worker.live.video.viewers import MAX_BEHIND_BYTES, MAX_GOP_BYTES, Broadcast, Viewer
from vcam_worker.stream.packets import Packet

WAIT_S = 10
MEGABYTE = 1 << 20
ANY_INIT = Init("video/mp4", b"init")


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an event loop."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), WAIT_S))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def parts_of(seconds: float = 3) -> list[Init | Fragment]:
    muxer = LiveMuxer(stream_info())
    return [part for packet in packets(seconds=seconds) for part in muxer.take(packet)]


def large(megabytes: float, *, is_keyframe: bool = False) -> Fragment:
    return Fragment(0, is_keyframe, bytes(round(megabytes * MEGABYTE)))


async def rest_of(viewer: Viewer) -> bytes:
    return b"".join([chunk async for chunk in viewer.chunks()])


@in_a_loop
async def test_a_late_viewer_begins_at_time_zero_with_the_last_keyframe() -> None:
    broadcast = Broadcast()
    parts = parts_of()
    early = broadcast.join()
    for part in parts[:15]:
        broadcast.take(part)
    late = broadcast.join()
    assert await late.ready(WAIT_S) == 'video/mp4; codecs="avc1.42C00B"'
    for part in parts[15:]:
        broadcast.take(part)
    broadcast.end("over")
    frames = len(parts) - 1
    assert len(decoded(await rest_of(early))) == frames
    seen = decoded(await rest_of(late))
    assert [time for time, _, _ in seen] == [round(number / FPS, 3) for number in range(frames - GOP)]


def open_gops() -> list[Packet]:
    """Return three GOPs in each of which two frames follow the keyframe that are shown before it."""
    stream = packets()
    for number, packet in enumerate(stream):
        later = {0: 2, 1: -1, 2: -1}.get(number % GOP, 0)
        packet.delay = (later + 1) / FPS
    return stream


@in_a_loop
async def test_a_viewer_gets_nothing_that_is_shown_before_the_keyframe_it_begins_with() -> None:
    broadcast = Broadcast()
    muxer = LiveMuxer(stream_info())
    parts = [part for packet in open_gops() for part in muxer.take(packet)]
    waiting = broadcast.join()
    for part in parts[: GOP + 2]:
        broadcast.take(part)
    late = broadcast.join()
    assert await late.ready(0) is None  # how long the keyframe is shown is not known yet
    for part in parts[GOP + 2 :]:
        broadcast.take(part)
    broadcast.end("over")
    for viewer, missing in ((waiting, 3), (late, GOP + 3)):
        file = await rest_of(viewer)
        with av.open(io.BytesIO(file)) as container:
            found = [one for one in container.demux(video=0) if one.size]
        assert len(found) == 3 * GOP - missing
        assert all(one.pts is not None and found[0].pts is not None and one.pts >= found[0].pts for one in found)
        assert [one.duration for one in found[:2]] == [27000, 9000]
        assert all(later.dts - one.dts == one.duration for one, later in pairwise(found))


@in_a_loop
async def test_every_viewer_begins_at_time_zero_whatever_the_reordering_of_its_first_keyframe() -> None:
    stream = packets()
    stream[0].delay, stream[GOP].delay, stream[2 * GOP].delay = 3 / FPS, 1 / FPS, 5 / FPS
    muxer = LiveMuxer(stream_info())
    parts = [part for packet in stream for part in muxer.take(packet)]
    broadcast = Broadcast()
    viewers_of = []
    for part in parts:
        broadcast.take(part)
        if isinstance(part, Fragment) and part.is_keyframe:
            viewers_of.append(broadcast.join())
    broadcast.end("over")
    assert len(viewers_of) == 3
    for viewer in viewers_of:
        file = await rest_of(viewer)
        first = file.index(b"trun")
        time, offset = file[first - 12 : first - 4], file[first + 28 : first + 32]
        assert (int.from_bytes(time), int.from_bytes(offset)) == (0, 0)


@in_a_loop
async def test_a_viewer_who_does_not_read_is_cut_off_and_others_are_not() -> None:
    broadcast = Broadcast()
    broadcast.take(ANY_INIT)
    broadcast.take(large(0.5, is_keyframe=True))
    reading, stalled = broadcast.join(), broadcast.join()
    received, most = 0, 0
    chunks = aiter(reading.chunks())
    assert await anext(chunks) == ANY_INIT.data
    for _ in range(50):
        broadcast.take(large(0.5))
        most = max(most, stalled.queued)
        while reading.queued:
            received += len(await anext(chunks))
    assert received == 51 * MEGABYTE / 2
    assert not reading.is_cut_off
    assert stalled.is_cut_off
    assert stalled.queued == 0
    assert most <= MAX_GOP_BYTES + MAX_BEHIND_BYTES
    assert await rest_of(stalled) == ANY_INIT.data  # it ends


@in_a_loop
async def test_a_viewer_may_take_its_time_for_the_gop_that_it_begins_with() -> None:
    broadcast = Broadcast()
    waiting = broadcast.join()
    broadcast.take(ANY_INIT)
    broadcast.take(large(10, is_keyframe=True))
    broadcast.take(large(5))
    late = broadcast.join()
    broadcast.take(large(0.5))
    assert [viewer.queued for viewer in (waiting, late)] == [15.5 * MEGABYTE] * 2
    assert not waiting.is_cut_off
    assert not late.is_cut_off


@in_a_loop
async def test_of_a_gop_that_is_too_large_nothing_is_kept_and_late_viewers_wait_for_the_next_keyframe() -> None:
    broadcast = Broadcast()
    broadcast.take(ANY_INIT)
    broadcast.take(large(1, is_keyframe=True))
    present = broadcast.join()
    chunks = aiter(present.chunks())
    assert await anext(chunks) == ANY_INIT.data
    for _ in range(30):
        while present.queued:
            await anext(chunks)
        broadcast.take(large(1))
        assert broadcast.gop_bytes <= MAX_GOP_BYTES
    assert broadcast.gop_bytes == 0
    late = broadcast.join()
    assert await late.ready(0) is None
    broadcast.take(large(1))
    assert late.queued == 0
    broadcast.take(large(0.1, is_keyframe=True))
    assert await late.ready(WAIT_S) == ANY_INIT.media_type
    assert not present.is_cut_off


@in_a_loop
async def test_many_frames_at_once_come_in_bounded_chunks() -> None:
    broadcast = Broadcast()
    broadcast.take(ANY_INIT)
    broadcast.take(large(0.1, is_keyframe=True))
    for _ in range(100):
        broadcast.take(large(0.1))
    viewer = broadcast.join()
    broadcast.end("over")
    sizes = [len(chunk) async for chunk in viewer.chunks()]
    assert max(sizes) <= viewers.CHUNK_BYTES
    assert len(sizes) < 60


@in_a_loop
async def test_of_pictures_a_slow_viewer_gets_the_newest() -> None:
    broadcast = Broadcast()
    broadcast.take(Init("image/jpeg", b""))
    viewer = broadcast.join()
    for number in range(100):
        broadcast.take(Fragment(0, True, b"%d" % number + bytes(MEGABYTE)))
    assert viewer.queued <= 1.1 * MEGABYTE
    assert await viewer.ready(WAIT_S) == "multipart/x-mixed-replace; boundary=frame"
    late = broadcast.join()
    broadcast.end("over")
    for one in (viewer, late):
        body = await rest_of(one)
        head, _, picture = body.partition(b"\r\n\r\n")
        assert head == b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d" % (MEGABYTE + 2)
        assert picture == b"99" + bytes(MEGABYTE) + b"\r\n"


@pytest.mark.parametrize("is_announced", [True, False])
def test_after_the_end_of_a_file_present_viewers_end_and_new_ones_get_the_next(is_announced: bool) -> None:
    async def run() -> None:
        feed = VideoFeed()
        feed.message(INIT, ANY_INIT.pack())
        feed.message(FRAMES, pack_frames([large(0.1, is_keyframe=True)]))
        before = feed.join()
        if is_announced:
            feed.message(END, b"the camera's connection is lost")
            after = feed.join()
            feed.message(INIT, ANY_INIT.pack())
        else:
            feed.message(INIT, ANY_INIT.pack())
            after = feed.join()
        assert await rest_of(before)
        assert await after.ready(0) is None
        feed.message(FRAMES, pack_frames([large(0.2, is_keyframe=True)]))
        assert await after.ready(WAIT_S) == ANY_INIT.media_type
        feed.ended()
        assert len(await rest_of(after)) > 0.2 * MEGABYTE
        assert await feed.join().ready(WAIT_S) is None

    asyncio.run(asyncio.wait_for(run(), WAIT_S))
