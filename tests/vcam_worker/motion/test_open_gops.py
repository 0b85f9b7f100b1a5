"""Keyframes that refer to nothing, in a stream whose other frames refer across them (open GOPs), are decoded alone."""

from __future__ import annotations

import pytest

from tests.vcam_worker.live.packets import GOP, packets, stream_info
from vcam_worker.motion.decoder import LumaDecoder

SECONDS = 10


@pytest.mark.parametrize("open_gop", [0, 1])
def test_keyframes_alone_give_pictures(open_gop: int) -> None:
    stream = packets(seconds=SECONDS, params=f"bframes=3:b-adapt=0:open-gop={open_gop}")
    keyframes = [packet.time for packet in stream if packet.is_keyframe]
    assert len(keyframes) == SECONDS
    decoder = LumaDecoder(stream_info(), fps=5, keyframes_only=True)
    found = [frame.time for packet in stream for frame in decoder.feed(packet)]
    # the decoder may hold the newest one, for frames that are shown before it
    assert [round(time, 3) for time in found] in (keyframes[:-1], keyframes)
    assert decoder.health.trouble is None


def test_all_frames_follow_keyframes_that_were_decoded_alone() -> None:
    stream = packets(seconds=SECONDS, params="bframes=3:b-adapt=0:open-gop=1")
    resumed, fresh = LumaDecoder(stream_info(), fps=10), LumaDecoder(stream_info(), fps=10)
    for packet in stream[: 5 * GOP]:
        resumed.feed(packet, keyframes_only=True)
    found, expected = (
        [frame.time for packet in stream[5 * GOP :] for frame in decoder.feed(packet)] for decoder in (resumed, fresh)
    )
    # which frames are due depends on when counting began
    assert len(found) >= len(expected) - 2
    assert resumed.health.trouble is None
