"""Boxes of live frames on Redis: from a publisher to readers, with a Redis that goes away, and foreign entries."""

from __future__ import annotations

import time

import pytest

from devtools.redis_server import RedisServer
from shared_utils.errors import QueueUnavailable
from shared_utils.queue.live_boxes import (
    EXPIRE_S,
    FIELD,
    KEPT,
    BoxesPublisher,
    BoxesReader,
    LiveBox,
    LiveBoxes,
    boxes_key,
    from_json,
    to_json,
)

PERSON = LiveBox("person", 3, 0.9137, (0.1, 0.2, 0.30001, 0.9))


def _read(reader: BoxesReader, publisher: BoxesPublisher, boxes: LiveBoxes, seconds: float = 20.0) -> list[LiveBoxes]:
    """Publish until something is read: the first frames come before the reader's first look."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        publisher.publish("door", boxes)
        try:
            if found := reader.read(0.2):
                return list(found)
        except QueueUnavailable:
            continue
    raise AssertionError("nothing was read")


def test_what_is_published_is_read_with_rounded_numbers(redis_server: RedisServer) -> None:
    with (
        BoxesPublisher(redis_server.settings) as publisher,
        BoxesReader(redis_server.settings, "door") as reader,
        BoxesReader(redis_server.settings, "gate") as other,
    ):
        publisher.start()
        assert reader.read(0) == []
        found = _read(reader, publisher, LiveBoxes(1771850911.1204, (PERSON,)))
        assert found[0] == LiveBoxes(1771850911.12, (LiveBox("person", 3, 0.914, (0.1, 0.2, 0.3, 0.9)),))
        assert other.read(0) == []


def test_a_stream_stays_short_and_goes_by_itself(redis_server: RedisServer) -> None:
    client = redis_server.connection()
    with BoxesPublisher(redis_server.settings) as publisher, BoxesReader(redis_server.settings, "door") as reader:
        publisher.start()
        for number in range(10 * KEPT):
            _read(reader, publisher, LiveBoxes(float(number), ()))
        assert client.xlen(boxes_key("door")) < 10 * KEPT
        assert 0 < client.ttl(boxes_key("door")) <= EXPIRE_S
        client.delete(boxes_key("door"))
        assert _read(reader, publisher, LiveBoxes(1.0, (PERSON,)))


def test_publisher_and_reader_find_a_redis_that_was_away(redis_server: RedisServer) -> None:
    with BoxesPublisher(redis_server.settings) as publisher, BoxesReader(redis_server.settings, "door") as reader:
        publisher.start()
        _read(reader, publisher, LiveBoxes(1.0, ()))
        redis_server.stop()
        publisher.publish("door", LiveBoxes(2.0, ()))
        with pytest.raises(QueueUnavailable):
            reader.read(0.5)
        redis_server.start()
        assert _read(reader, publisher, LiveBoxes(3.0, (PERSON,)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"schema": 2, "at": 1, "boxes": []}',
        b'{"schema": 1, "boxes": []}',
        b'{"schema": 1, "at": true, "boxes": []}',
        b'{"schema": 1, "at": 1, "boxes": 7}',
        b'{"schema": 1, "at": 1, "boxes": []' + b" " * 300_000 + b"}",
    ],
)
def test_foreign_entries_are_skipped(redis_server: RedisServer, content: bytes) -> None:
    assert from_json(content) is None
    client = redis_server.connection()
    with BoxesReader(redis_server.settings, "door") as reader:
        assert reader.read(0) == []
        client.xadd(boxes_key("door"), {FIELD: content})
        client.xadd(boxes_key("door"), {"other": "field"})
        client.xadd(boxes_key("door"), {FIELD: to_json(LiveBoxes(1.0, (PERSON,)))})
        assert [one.at for one in reader.read(1.0)] == [1.0]


def test_foreign_boxes_are_left_out() -> None:
    wrong = ['"x"', "{}", '{"label": "a", "track": 1, "score": 0.5, "box": [0, 0, 1]}']
    wrong.append('{"label": "a", "track": 1, "score": 0.5, "box": [0, 0, 1, "1"]}')
    good = '{"label": "a", "track": 1, "score": 0.5, "box": [0, 0, 1, 1], "more": 1}'
    found = from_json(f'{{"schema": 1, "at": 1, "boxes": [{", ".join([*wrong, good])}]}}'.encode())
    assert found == LiveBoxes(1.0, (LiveBox("a", 1, 0.5, (0.0, 0.0, 1.0, 1.0)),))
