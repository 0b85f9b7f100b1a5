"""JPEG pictures are found by their own structure, whatever the multipart around them claims."""

from __future__ import annotations

import random

import pytest

from shared_utils.media.bitstream.jpeg_header import jpeg_size
from tests.support.footage.video import noise_background
from tests.support.network.hosts import jpeg
from vcam_worker.stream.protocols.jpeg_parts import MAX_PICTURE_BYTES, JpegParts, NoPictureError

PICTURES = [jpeg(noise_background(160 + 16 * seed, 120, seed)) for seed in range(4)]
THUMBNAIL = b"\xff\xe1" + (len(PICTURES[3]) + 2).to_bytes(2) + PICTURES[3]


def part(picture: bytes, boundary: bytes = b"--frame", head: bytes = b"", length: int | None = None) -> bytes:
    length_header = b"" if length is None else b"Content-Length: %d\r\n" % length
    return boundary + b"\r\nContent-Type: image/jpeg\r\n" + head + length_header + b"\r\n" + picture + b"\r\n"


def found(stream: bytes, step: int = 1000) -> list[bytes]:
    parts = JpegParts()
    pictures = [one for at in range(0, len(stream), step) for one in parts.feed(stream[at : at + step])]
    rest = parts.rest()
    return [*pictures, rest] if rest else pictures


@pytest.mark.parametrize(
    "stream",
    [
        b"".join(part(one, length=len(one)) for one in PICTURES),
        b"".join(part(one) for one in PICTURES),
        b"".join(part(one, length=len(one) + 1000) for one in PICTURES),
        b"".join(part(one, length=len(one) // 2) for one in PICTURES),
        b"".join(part(one, length=0) for one in PICTURES),
        b"".join(part(one, length=2_000_000_000) for one in PICTURES),
        b"".join(part(one, b"----frame") for one in PICTURES),
        b"".join(part(one, b"frame") for one in PICTURES),
        part(PICTURES[0]).removeprefix(b"--frame\r\n") + b"".join(part(one) for one in PICTURES[1:]),
        PICTURES[0] + b"".join(part(one) for one in PICTURES[1:]),
        b"".join(b"--frame\r\n\r\n" + one for one in PICTURES),
        b"".join(b"--frame\n\n" + one + b"\n" for one in PICTURES),
        b"".join(PICTURES),
        b"".join(one + bytes(500) for one in PICTURES),
        b"".join(part(one) + b"--frame\r\nContent-Type: text/plain\r\n\r\nmotion\r\n" for one in PICTURES),
        b"".join(part(one) + b"--frame\r\nContent-Type: audio/basic\r\n\r\n\xff\xd8\xff\xe0\x12" for one in PICTURES),
        b"".join(part(one) + b"--frame\r\n\r\n\xff\xd8\xff\xff\xd8\xff\x00\r\n" for one in PICTURES),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1460, 1_000_000])
def test_pictures_come_out_whole(stream: bytes, step: int) -> None:
    assert found(stream, step) == PICTURES


def test_a_thumbnail_is_part_of_its_picture() -> None:
    pictures = [one[:2] + THUMBNAIL + one[2:] for one in PICTURES]
    assert found(b"".join(part(one) for one in pictures)) == pictures


def test_a_picture_without_its_end_marker_ends_where_the_next_part_begins() -> None:
    cut = [one[:-2] for one in PICTURES]
    assert found(b"".join(part(one) for one in cut) + b"--frame--\r\n") == cut
    assert found(b"".join(cut)) == cut


def test_what_follows_garbage_is_found() -> None:
    noise = random.Random(3).randbytes(200_000)
    assert found(noise + b"\r\n" + part(PICTURES[0]))[-1] == PICTURES[0]


@pytest.mark.parametrize(
    "endless",
    [
        b"x" * 65536,
        PICTURES[0][:-2] + b"y" * 65536,
        b"\xff\xd8\xff" * 20000,
        b"\xff\xd8\xff\xe0\x00\x02" + b"\xff" * 65536,
    ],
)
def test_what_has_no_end_is_given_up(endless: bytes) -> None:
    with pytest.raises(NoPictureError):
        found(endless + endless[-65536:] * (MAX_PICTURE_BYTES // 65536 + 2), 65536)


def test_the_size_is_read_without_decoding() -> None:
    assert [jpeg_size(one) for one in PICTURES] == [(160 + 16 * seed, 120) for seed in range(4)]
    assert jpeg_size(PICTURES[0][:2] + THUMBNAIL + PICTURES[0][2:]) == (160, 120)
    assert jpeg_size(b"\xff\xd8\xff\xd9") is None
