"""Live video as files: FFmpeg decodes every frame at its time, wherever a viewer joins."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import av
import pytest

from shared_utils.media.bitstream.nal_units import Codec, split_units
from shared_utils.media.bitstream.parameter_sets import ParameterSets
from tests.support.footage.video import moving_box, noise_background
from tests.support.network.hosts import jpeg
from tests.vcam_worker.live.packets import FPS, GOP, SIZE, decoded, packets, placed, stream_info, viewed
from vcam_worker.live.video.fragments import codecs_parameter
from vcam_worker.live.video.muxer import LiveMuxer, PictureChangedError
from vcam_worker.live.video.parts import Fragment, Init, pack_frames, unpack_frames
from vcam_worker.stream.packets import Packet

CODECS: list[Codec] = ["h264", "hevc"]
TAGS = {"h264": "avc1", "hevc": "hvc1"}


def mux(stream: list[Packet], codec: Codec = "h264") -> list[Init | Fragment]:
    muxer = LiveMuxer(stream_info(codec))
    return [part for packet in stream for part in muxer.take(packet)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("keyframe", [0, 1])
def test_every_frame_is_decoded_from_the_keyframe_on_that_a_viewer_begins_with(codec: Codec, keyframe: int) -> None:
    stream = packets(codec)
    file = viewed(mux(stream, codec), keyframe)
    # the newest frame waits for the next one
    expected = [(round(number / FPS, 3), *SIZE) for number in range(len(stream) - 1 - keyframe * GOP)]
    assert decoded(file) == expected
    with av.open(io.BytesIO(file)) as container:
        video = container.streams.video[0]
        assert video.codec_context.codec_tag == TAGS[codec]
        assert [packet.is_keyframe for packet in container.demux(video)][: GOP + 1] == [True] + [False] * 9 + [True]


def test_frames_that_are_shown_in_another_order_than_they_are_decoded() -> None:
    times = [0, 2, 1, 4, 3, 5]
    stream = packets(seconds=1)[: len(times)]
    for number, packet in enumerate(stream):
        packet.delay = (times[number] - number + 1) / FPS
    with av.open(io.BytesIO(viewed(mux([*stream, *packets(seconds=0.1)])))) as container:
        found = [packet for packet in container.demux(video=0) if packet.size]
        first = found[0].pts
        assert [round((one.pts - first) * one.time_base * FPS) for one in found] == times


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_comes_before_the_first_keyframe(codec: Codec) -> None:
    stream = packets(codec)
    assert len(decoded(viewed(mux(stream[3:], codec)))) == len(stream) - GOP - 1


def test_a_gap_makes_the_frame_before_it_longer() -> None:
    """Chromium drops what follows a hole between two frames, up to the next keyframe."""
    stream = packets()
    for packet in stream[5:]:
        packet.time += 7.25
    with av.open(io.BytesIO(viewed(mux(stream)))) as container:
        found = [packet for packet in container.demux(video=0) if packet.size]
    ends = [one.pts + one.duration for one in found]
    assert ends[:-1] == [one.pts for one in found[1:]]
    assert found[4].duration * found[4].time_base == pytest.approx(7.35)


def test_stream_time_that_stands_still_or_runs_backwards_does_not_stop_the_muxer() -> None:
    stream = packets()
    stream[4].time = stream[3].time
    stream[5].time = stream[3].time - 2
    assert len(decoded(viewed(mux(stream)))) == len(stream) - 1


def test_a_packet_in_which_nothing_can_be_read_is_left_out() -> None:
    stream = packets()
    stream[GOP - 1] = replace(stream[GOP - 1], data=b"")
    assert len(decoded(viewed(mux(stream)))) == len(stream) - 2


@pytest.mark.parametrize("codec", CODECS)
def test_another_size_ends_the_file(codec: Codec) -> None:
    muxer = LiveMuxer(stream_info(codec))
    for packet in packets(codec):
        muxer.take(packet)
    keyframe, *others = packets(codec, moving_box(160, 96, side=20))
    with pytest.raises(PictureChangedError):
        muxer.take(keyframe)
    following = muxer.successor()
    parts = [part for packet in [keyframe, *others] for part in following.take(packet)]
    assert {(width, height) for _, width, height in decoded(viewed(parts))} == {(160, 96)}


@pytest.mark.parametrize("keyframe", [0, 1, 2])
def test_parameter_sets_that_change_within_the_same_format_are_in_the_frames(keyframe: int) -> None:
    """Frames with arithmetic coding cannot be decoded by the parameter sets of those without it."""
    first, second = packets(params="cabac=0", seconds=1), packets(params="cabac=1", seconds=2)
    for packet in second:
        packet.time += 1
    stream = [*first, *second]
    assert len(decoded(viewed(mux(stream), keyframe))) == len(stream) - 1 - keyframe * GOP


def test_pixels_that_are_not_square() -> None:
    with av.open(io.BytesIO(viewed(mux(packets(params="sar=4/3"))))) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize(
    ("codec", "sps", "expected"),
    [
        ("h264", "6764001facd9405005bb011000000300100000030320f183196000", "avc1.64001F"),
        ("h264", "6742c01e", "avc1.42C01E"),
        ("hevc", "420101016000000300900000030000030078a003c080", "hvc1.1.6.L120.90"),
        ("hevc", "420101222000000300b00000030000030099a001e020", "hvc1.2.4.H153.B0"),
    ],
)
def test_the_codecs_parameter(codec: Codec, sps: str, expected: str) -> None:
    assert codecs_parameter(ParameterSets(codec, 0, (bytes.fromhex(sps),), None)) == expected


def test_jpegs_are_copied() -> None:
    pictures = [jpeg(noise_background(160, 120, seed)) for seed in range(3)]
    muxer = LiveMuxer(stream_info("mjpeg"))
    parts = [part for one in pictures for part in muxer.take(Packet("video", one, True, None))]
    assert parts == [Init("image/jpeg", b""), *(Fragment(0, True, one) for one in pictures)]


def test_sound_is_left_out() -> None:
    muxer = LiveMuxer(stream_info())
    assert muxer.take(Packet("audio", b"sound", True, 0.0)) == []


def test_parts_pass_through_messages_unchanged() -> None:
    parts = mux(packets())
    init, *frames = parts
    assert isinstance(init, Init)
    assert Init.unpack(init.pack()) == init
    fragments = [one for one in frames if isinstance(one, Fragment)]
    assert list(unpack_frames(pack_frames(fragments))) == fragments


def test_samples_hold_no_parameter_sets_of_the_sample_entry() -> None:
    with av.open(io.BytesIO(viewed(mux(packets())))) as container:
        first = next(container.demux(video=0))
        kinds = [unit[0] & 0x1F for unit in split_units(bytes(first), 4)]
    assert kinds[-1] == 5
    assert not {7, 8} & set(kinds)


def test_frames_placed_before_time_zero_are_no_problem() -> None:
    frames = [list(split_units(one.data, 0)) for one in packets()]
    assert decoded(viewed(mux(placed("h264", frames, first_s=-5))))[0][0] == 0
