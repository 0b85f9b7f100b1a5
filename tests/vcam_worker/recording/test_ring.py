"""The ring of packets: begins at a keyframe, reaches back far enough, stays bounded."""

from __future__ import annotations

from vcam_worker.recording import ring
from vcam_worker.recording.ring import PacketRing
from vcam_worker.stream.packets import Packet


def video(time: float, *, key: bool = False, size: int = 10) -> Packet:
    return Packet("video", bytes(size), key, time, time=time)


def fill(target: PacketRing, seconds: float, fps: int = 10, gop: float = 2.0) -> None:
    for i in range(round(seconds * fps)):
        target.append(video(i / fps, key=i % round(gop * fps) == 0))


def test_nothing_is_kept_before_the_first_keyframe() -> None:
    packets = PacketRing(5)
    packets.append(video(0.0))
    packets.append(Packet("audio", b"x", True, 0.1, time=0.1))
    assert packets.since(0) == []
    packets.append(video(0.2, key=True))
    assert [one.time for one in packets.since(0)] == [0.2]


def test_it_reaches_back_at_least_as_long_as_asked_and_at_most_one_gop_more() -> None:
    packets = PacketRing(5)
    fill(packets, 60)
    kept = packets.since(0)
    assert kept[0].is_keyframe
    assert 5 <= kept[-1].time - kept[0].time <= 5 + 2


def test_since_begins_at_the_last_keyframe_before() -> None:
    packets = PacketRing(10)
    fill(packets, 30)
    assert packets.since(25.5)[0].time == 24.0
    assert packets.since(26.0)[0].time == 26.0
    assert packets.since(-5)[0].is_keyframe


def test_sound_goes_with_its_gop() -> None:
    packets = PacketRing(1)
    for i in range(100):
        packets.append(video(i / 10, key=i % 10 == 0))
        packets.append(Packet("audio", b"a", True, i / 10, time=i / 10))
    kept = packets.since(8.0)
    assert kept[0].time == 8.0
    assert kept[0].kind == "video"
    assert sum(one.kind == "audio" for one in kept) == sum(one.kind == "video" for one in kept)


def test_memory_is_bounded_without_keyframes() -> None:
    packets = PacketRing(5)
    packets.append(video(0.0, key=True))
    for i in range(1, 2000):
        packets.append(video(i / 10, size=1000))
    assert len(packets) <= ring.MAX_S * 10
    packets.append(video(200.0, key=True))
    assert [one.time for one in packets.since(200)] == [200.0]


def test_memory_is_bounded_by_bytes() -> None:
    packets = PacketRing(30)
    for i in range(200):
        packets.append(video(i / 10, key=i % 10 == 0, size=1024 * 1024))
    assert packets.size <= ring.MAX_BYTES
    assert packets.since(0)[0].is_keyframe


def test_clear_forgets_everything() -> None:
    packets = PacketRing(5)
    fill(packets, 10)
    packets.clear()
    assert len(packets) == 0
    assert packets.size == 0
    assert packets.since(0) == []
