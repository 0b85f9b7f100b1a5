"""Which packets need not be decoded: on units made by hand, and on groups of packets."""

from __future__ import annotations

import pytest

from shared_utils.media.bitstream.skippable import MAX_UNITS, BitstreamReader, PacketFacts, unneeded

AVC = b"\x01\x64\x00\x28\xff\xe1"
HVC = b"\x01" + bytes(20) + b"\xff"
SPS, PPS, SEI, IDR, P = b"\x67...", b"\x68...", b"\x06...", b"\x65...", b"\x41..."


def lengths(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def start_codes(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(("extradata", "pack"), [(AVC, lengths), (None, start_codes), (b"\0\0\1\x67", start_codes)])
def test_h264(extradata, pack):
    reader = BitstreamReader("h264", extradata)
    assert reader.inspect(1, pack(IDR, IDR)) == PacketFacts(1, restarts=True, keep=False)
    assert reader.inspect(1, pack(SPS, PPS, SEI, IDR)) == PacketFacts(1, restarts=True, keep=True)
    assert reader.inspect(1, pack(SEI, P, P)) == PacketFacts(1, restarts=False, keep=False)
    # settings that only a later picture uses
    assert reader.inspect(1, pack(P, PPS)) == PacketFacts(1, restarts=False, keep=True)
    assert reader.inspect(1, pack(IDR, P)) == PacketFacts(1, restarts=False, keep=False)
    assert reader.inspect(1, pack(SEI)) == PacketFacts(1, restarts=False, keep=True)


def test_hevc():
    reader = BitstreamReader("hevc", HVC)
    assert reader.inspect(1, lengths(b"\x26\x01\xa0")) == PacketFacts(1, restarts=True, keep=False)
    assert reader.inspect(1, lengths(b"\x28\x01\xa0")) == PacketFacts(1, restarts=True, keep=False)
    # it drops the pictures that wait to be shown, among which may be wanted ones
    assert reader.inspect(1, lengths(b"\x28\x01\xe0")) == PacketFacts(1, restarts=False, keep=False)
    # an open group's key picture (CRA), an ordinary one, one with a parameter set
    assert reader.inspect(1, lengths(b"\x2a\x01\xa0")) == PacketFacts(1, restarts=False, keep=False)
    assert reader.inspect(1, lengths(b"\x02\x01\xa0")) == PacketFacts(1, restarts=False, keep=False)
    assert reader.inspect(1, lengths(b"\x44\x01\xa0", b"\x02\x01\xa0")) == PacketFacts(1, restarts=False, keep=True)


CUT, BEYOND, EMPTY = lengths(P)[:-1], b"\0\0\0\xff" + P, b"\0\0\0\0" + lengths(P)


@pytest.mark.parametrize("data", [b"", b"\0", CUT, BEYOND, EMPTY, lengths(P) * (MAX_UNITS + 1), b"\xff" * 99])
def test_packets_that_cannot_be_parsed_are_decoded(data):
    assert BitstreamReader("h264", AVC).inspect(7, data) == PacketFacts(7, restarts=False, keep=True)


def test_other_codecs_are_decoded_whole():
    assert BitstreamReader("vp9", None).inspect(7, start_codes(IDR)) == PacketFacts(7, restarts=False, keep=True)


def packets(text: str) -> list[PacketFacts]:
    """I: an IDR picture; i: one with settings; p: any other one; k: one to be kept."""
    return [PacketFacts(number, one in "Ii", one in "ik") for number, one in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("IpppIppp", {0, 2, 4, 6}, {3, 7}),
        ("IpppIppp", {3, 7}, set()),
        ("IpppIppp", {0}, {1, 2, 3, 4, 5, 6, 7}),
        ("IpppIppp", {5}, {0, 1, 2, 3, 6, 7}),
        ("ipppippp", {5}, {1, 2, 3, 6, 7}),
        ("Ipkpippp", {4}, {0, 1, 3, 5, 6, 7}),
        ("kkkk", {1}, set()),
        ("pppp", {1}, {2, 3}),
        ("", set(), set()),
    ],
)
def test_packets_between_the_last_wanted_frame_and_the_next_idr_picture_are_not_needed(text, wanted, expected):
    assert unneeded(packets(text), wanted) == expected
