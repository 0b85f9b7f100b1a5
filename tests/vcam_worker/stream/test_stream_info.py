"""What the log says of a stream."""

from __future__ import annotations

from vcam_worker.stream.info import StreamInfo


def _info(width: int, height: int) -> StreamInfo:
    return StreamInfo("mjpeg", width, height, None, "http", None, (), None, None, None)


def test_a_size_that_only_the_first_picture_tells_is_left_out() -> None:
    assert str(_info(0, 0)) == "mjpeg, http"
    assert str(_info(640, 360)) == "mjpeg 640×360, http"
